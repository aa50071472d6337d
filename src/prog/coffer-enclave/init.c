/* SPDX-License-Identifier: Apache-2.0 */
#include "init.h"

#include "config.h"
#include "base/secret.h"
#include "format/cose.h"
#include "format/nsm.h"
#include "io/clock.h"
#include "io/file.h"
#include "io/nsm_dev.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CONFIG "/coffer/config.json"
#define PROCESSOR "/coffer/processor"
#define MODULES "/etc/modules"
#define NSM "/dev/nsm"
#define NSM_WAIT_MS 10000
#define SEED_BYTES 64      /* credited in full: 512 bits */
#define SKEW_MAX_MS 1000   /* more, and the clock is set by the hypervisor's */
#define HEARTBEAT 0xb7     /* what nitro-cli's parent side waits for, and sends back */
#define HEARTBEAT_MS 10000

enum { FD_NSM = 3, FD_CONFIG = 4, FD_PROCESSOR = 5 };

static enum cof_err failed(struct cof_diag *diag, const char *what)
{
    int error = errno;

    return cof_diag_set(diag, cof_err_from_errno(error), "%s: %s", what, strerror(error));
}

static enum cof_err mount_all(struct cof_diag *diag)
{
    static const struct { const char *type, *at; unsigned long flags; } list[] = {
        {"devtmpfs", "/dev", MS_NOSUID | MS_NOEXEC}, {"proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC},
        {"sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY}};

    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        (void)mkdir(list[i].at, 0755);
        if (mount(list[i].type, list[i].at, list[i].type, list[i].flags, NULL) != 0 && errno != EBUSY)
            return failed(diag, list[i].at);
    }
    return COF_OK;
}

/* What is written goes to the console, which Nitro shows for debug enclaves only. */
static void open_console(void)
{
    int fd = open("/dev/console", O_RDWR);

    if (fd < 0)
        fd = open("/dev/null", O_RDWR);
    for (int i = 0; fd >= 0 && i < 3; i++)
        (void)dup2(fd, i);
    if (fd > 2)
        (void)close(fd);
}

static enum cof_err load_module(const char *path, struct cof_diag *diag)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && (syscall(SYS_finit_module, fd, "", 0) == 0 || errno == EEXIST);
    enum cof_err err = ok ? COF_OK : failed(diag, path);

    if (fd >= 0)
        (void)close(fd);
    return err;
}

static enum cof_err load_modules(struct cof_diag *diag)
{
    struct cof_buf text;
    struct cof_view rest, line;
    enum cof_err err;

    if (access(MODULES, F_OK) != 0)
        return COF_OK;
    cof_buf_init(&text, 65536);
    err = cof_file_read(MODULES, &text, diag);
    rest = cof_buf_view(&text);
    while (err == COF_OK && rest.len > 0) {
        char path[256];

        (void)cof_view_split(rest, '\n', &line, &rest);
        if (line.len == 0)
            continue;
        (void)snprintf(path, sizeof path, "%.*s", (int)line.len, (const char *)line.data);
        err = load_module(path, diag);
    }
    cof_buf_done(&text);
    return err;
}

static enum cof_err open_nsm(struct cof_nsm **out, struct cof_diag *diag)
{
    int64_t until_ms = cof_clock_monotonic_ms() + NSM_WAIT_MS;

    while (access(NSM, R_OK | W_OK) != 0 && cof_clock_monotonic_ms() < until_ms)
        (void)poll(NULL, 0, 10);
    return cof_nsm_open(NSM, out, diag);
}

/* The first line of a small file of the kernel's. */
static void read_line(const char *path, char *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, out, size - 1);

    out[n > 0 ? n : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
    if (fd >= 0)
        (void)close(fd);
}

/* C-21: the kernel's pool must be fed by the hypervisor, and be full before the first key is made. */
static enum cof_err seed(struct cof_nsm *nsm, struct cof_diag *diag)
{
    struct { /* struct rand_pool_info, whose last member has no size */
        int entropy_bits, size;
        uint8_t bytes[SEED_BYTES];
    } pool = {.entropy_bits = 8 * SEED_BYTES, .size = SEED_BYTES};
    struct cof_rng rng = cof_nsm_rng(nsm);
    char source[64];
    int fd;
    enum cof_err err;

    read_line("/sys/class/misc/hw_random/rng_current", source, sizeof source);
    if (strcmp(source, "nsm-hwrng") != 0)
        return cof_diag_set(diag, COF_E_AUTH, "the kernel's hardware randomness is \"%s\", not the hypervisor's", source);
    err = cof_rng_fill(&rng, pool.bytes, sizeof pool.bytes);
    if (err != COF_OK)
        return cof_diag_set(diag, err, "the security module gives no randomness");
    fd = open("/dev/random", O_WRONLY | O_CLOEXEC);
    if (fd < 0 || ioctl(fd, RNDADDENTROPY, &pool) != 0)
        err = failed(diag, "/dev/random");
    if (fd >= 0)
        (void)close(fd);
    cof_wipe(&pool, sizeof pool);
    return err;
}

/* The hypervisor's time, out of an attestation document: it comes from the module itself, so no signature is asked of it. */
static enum cof_err hypervisor_time(struct cof_nsm *nsm, int64_t *ms, struct cof_diag *diag)
{
    struct cof_nsm_response response;
    struct cof_cose_sign1 cose;
    struct cof_attest_doc doc;
    struct cof_buf request, reply;
    enum cof_err err;

    cof_buf_init(&request, COF_NSM_REQUEST_MAX);
    cof_buf_init(&reply, COF_NSM_RESPONSE_MAX);
    cof_nsm_add_request(&request, &(struct cof_nsm_request){.op = COF_NSM_ATTESTATION});
    err = cof_nsm_call(nsm, cof_buf_view(&request), &reply);
    if (err == COF_OK)
        err = cof_nsm_parse_response(cof_buf_view(&reply), &response);
    if (err == COF_OK && response.op != COF_NSM_ATTESTATION)
        err = COF_E_REMOTE;
    if (err == COF_OK)
        err = cof_cose_sign1_parse(response.data, COF_ATTEST_PAYLOAD_MAX, &cose);
    if (err == COF_OK)
        err = cof_attest_doc_parse(cose.payload, &doc, diag);
    if (err == COF_OK)
        *ms = doc.timestamp_ms;
    else
        err = cof_diag_set(diag, err, "the security module gives no attestation document");
    cof_buf_done(&request);
    cof_buf_done(&reply);
    return err;
}

/* C-22: signatures and certificates are judged by this clock, which the parent must not steer. */
static enum cof_err check_time(const struct config *config, struct cof_nsm *nsm, const struct cof_log *log, struct cof_diag *diag)
{
    char source[64], off[32];
    bool known = false;
    int64_t theirs_ms, off_ms;
    enum cof_err err;

    read_line("/sys/devices/system/clocksource/clocksource0/current_clocksource", source, sizeof source);
    for (size_t i = 0; i < config->n_clocks; i++)
        known = known || strcmp(config->clocks[i], source) == 0;
    if (!known)
        return cof_diag_set(diag, COF_E_AUTH, "the kernel's clock source is \"%s\", which the configuration does not allow", source);
    err = hypervisor_time(nsm, &theirs_ms, diag);
    if (err != COF_OK)
        return err;
    off_ms = cof_clock_wall_ms() - theirs_ms;
    if (off_ms <= SKEW_MAX_MS && off_ms >= -SKEW_MAX_MS)
        return COF_OK;
    (void)snprintf(off, sizeof off, "%lld", (long long)off_ms);
    cof_log_event(log, COF_LOG_WARN, "enclave.clock_set", "was_off_ms", off, NULL);
    if (clock_settime(CLOCK_REALTIME, &(struct timespec){.tv_sec = theirs_ms / 1000, .tv_nsec = theirs_ms % 1000 * 1000000}) != 0)
        return failed(diag, "the clock cannot be set");
    return COF_OK;
}

static enum cof_err check_no_network(struct cof_diag *diag)
{
    DIR *dir = opendir("/sys/class/net");
    struct dirent *entry;
    enum cof_err err = COF_OK;

    while (dir != NULL && err == COF_OK && (entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, "lo") != 0)
            err = cof_diag_set(diag, COF_E_AUTH, "there is a network device: %s", entry->d_name);
    if (dir != NULL)
        (void)closedir(dir);
    return err;
}

/* spec: nitro-cli waits for this byte at its port 9000 (FACTS D9). What comes back proves nothing. */
static enum cof_err beat(const struct config *config, struct cof_diag *diag)
{
    const struct timeval patience = {.tv_sec = HEARTBEAT_MS / 1000};
    struct pollfd p = {.events = POLLOUT};
    uint8_t byte = HEARTBEAT, back = 0;
    enum cof_err err;

    if (!config->has_heartbeat)
        return COF_OK;
    err = cof_dial(&config->heartbeat, cof_resolve_literal, &p.fd, diag);
    if (err != COF_OK)
        return err;
    if (poll(&p, 1, HEARTBEAT_MS) != 1 || fcntl(p.fd, F_SETFL, 0) != 0 ||
        setsockopt(p.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 || write(p.fd, &byte, 1) != 1 ||
        read(p.fd, &back, 1) != 1 || back != HEARTBEAT)
        err = cof_diag_set(diag, COF_E_IO, "the parent does not answer the heartbeat");
    (void)close(p.fd);
    return err;
}

/* The descriptors an enclave is started with. */
static enum cof_err place(const char *path, int flags, int as, struct cof_diag *diag)
{
    int fd = open(path, flags | O_CLOEXEC);
    enum cof_err err;

    if (fd == as)
        return fcntl(fd, F_SETFD, 0) == 0 ? COF_OK : failed(diag, path);
    err = fd >= 0 && dup2(fd, as) == as ? COF_OK : failed(diag, path);
    if (fd >= 0)
        (void)close(fd);
    return err;
}

static enum cof_err check_machine(const struct cof_log *log, struct cof_diag *diag)
{
    struct config *config = &(struct config){0};
    struct cof_nsm *nsm = NULL;
    struct cof_buf text;
    enum cof_err err;

    cof_buf_init(&text, CONFIG_MAX);
    err = cof_file_read(CONFIG, &text, diag);
    if (err == COF_OK)
        err = config_parse(cof_buf_view(&text), config, diag);
    if (err == COF_OK)
        err = beat(config, diag);
    if (err == COF_OK)
        err = open_nsm(&nsm, diag);
    if (err == COF_OK)
        err = seed(nsm, diag);
    if (err == COF_OK)
        err = check_time(config, nsm, log, diag);
    if (err == COF_OK)
        err = check_no_network(diag);
    cof_nsm_close(nsm);
    config_done(config);
    cof_buf_done(&text);
    return err;
}

/* The first process from now on: waits, takes orphans in, and ends the machine with the enclave. */
static _Noreturn void stay(pid_t child)
{
    int status;
    pid_t pid;

    do
        pid = wait(&status);
    while (pid != child && !(pid < 0 && errno == ECHILD));
    init_end();
}

_Noreturn void init_end(void)
{
    (void)poll(NULL, 0, 50); /* the console's last line */
    (void)reboot(RB_AUTOBOOT); /* an enclave is not started again by its kernel: reboot=k ends it */
    for (;;)
        (void)pause();
}

enum cof_err init_start(const struct cof_log *log, struct cof_diag *diag)
{
    pid_t child;
    enum cof_err err = mount_all(diag);

    if (err != COF_OK)
        return err;
    open_console();
    err = load_modules(diag);
    if (err == COF_OK)
        err = check_machine(log, diag);
    if (err == COF_OK)
        err = place(NSM, O_RDWR, FD_NSM, diag);
    if (err == COF_OK)
        err = place(CONFIG, O_RDONLY, FD_CONFIG, diag);
    if (err == COF_OK)
        err = place(PROCESSOR, O_RDONLY, FD_PROCESSOR, diag);
    if (err != COF_OK)
        return err;
    child = fork();
    if (child < 0)
        return failed(diag, "fork");
    if (child > 0)
        stay(child);
    return COF_OK;
}
