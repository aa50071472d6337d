/* SPDX-License-Identifier: Apache-2.0
 *
 * The local authority: made once, kept, its keys readable by nobody else; an expiring certificate is made again.
 */
#include "testing.h"

#include "io/tls.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

static const char *in_dir(const char *name)
{
    static char path[128];

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static X509 *certificate(const char *name)
{
    FILE *f = fopen(in_dir(name), "r");
    X509 *cert;

    assert_non_null(f);
    cert = PEM_read_X509(f, NULL, NULL, NULL);
    (void)fclose(f);
    assert_non_null(cert);
    return cert;
}

static void makes_and_keeps_certificates(void **state)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "::1"};
    static const char *const files[] = {"ca.pem", "ca.key", "s.pem", "s.key"};
    X509 *ca, *cert, *again;
    EVP_PKEY *key;
    FILE *f;
    struct stat st;

    assert_ok(cof_tls_local_cert(dir, "s", names, 3, NULL));
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(stat(in_dir(files[i]), &st), 0);
        assert_int_equal(st.st_mode & 0777, i % 2 == 1 ? 0600 : 0644);
    }
    ca = certificate("ca.pem");
    cert = certificate("s.pem");
    assert_int_equal(X509_verify(cert, X509_get0_pubkey(ca)), 1);
    assert_int_equal(X509_check_ca(ca), 1);
    assert_int_equal(X509_check_ca(cert), 0);
    assert_int_equal(X509_check_host(cert, "localhost", 0, 0, NULL), 1);
    assert_int_equal(X509_check_ip_asc(cert, "::1", 0), 1);
    assert_int_equal(X509_check_host(cert, "example.com", 0, 0, NULL), 0);
    assert_ok(cof_tls_local_cert(dir, "s", names, 3, NULL)); /* kept as it is */
    again = certificate("s.pem");
    assert_int_equal(X509_cmp(cert, again), 0);
    X509_free(again);
    assert_non_null(f = fopen(in_dir("ca.key"), "r"));
    assert_non_null(key = PEM_read_PrivateKey(f, NULL, NULL, NULL));
    (void)fclose(f);
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(cert), 86400)); /* a day left */
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    EVP_PKEY_free(key);
    assert_non_null(f = fopen(in_dir("s.pem"), "w"));
    assert_int_equal(PEM_write_X509(f, cert), 1);
    (void)fclose(f);
    assert_ok(cof_tls_local_cert(dir, "s", names, 3, NULL));
    again = certificate("s.pem");
    assert_int_not_equal(X509_cmp(cert, again), 0);
    assert_int_equal(X509_verify(again, X509_get0_pubkey(ca)), 1); /* of the same authority */
    X509_free(again);
    X509_free(cert);
    X509_free(ca);
}

static int setup(void **state)
{
    (void)snprintf(dir, sizeof dir, "/tmp/coffer-tls-XXXXXX");
    return mkdtemp(dir) == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    (void)unlink(in_dir("ca.pem"));
    (void)unlink(in_dir("ca.key"));
    (void)unlink(in_dir("s.pem"));
    (void)unlink(in_dir("s.key"));
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(makes_and_keeps_certificates, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
