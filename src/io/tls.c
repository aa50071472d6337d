/* SPDX-License-Identifier: Apache-2.0 */
#include "io/tls.h"
#include "io/tls_conn.h"
#include "io/tls_wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SESSIONS 32
#define READ_AHEAD (4 * (16384 + 256)) /* bytes of ciphertext read at once while data flow: four records */

/* Client sessions are kept per host name, newest first in its slot, so that a reconnect needs no certificates. */
struct cof_tls_ctx {
    SSL_CTX *ssl;
    BIO_METHOD *wire;
    unsigned refs;
    bool server;
    struct {
        char host[256];
        SSL_SESSION *session;
    } sessions[SESSIONS];
    unsigned next_session;
};

struct cof_tls_conn {
    SSL *ssl;
    BIO *wire; /* owned by ssl */
    bool is_flowing, has_news;
    struct cof_tls_ctx *ctx;
    char host[256];
};

static enum cof_err ssl_failed(struct cof_diag *diag, enum cof_err err, const char *what)
{
    unsigned long code = ERR_peek_last_error();
    char text[160] = "";

    if (code != 0)
        ERR_error_string_n(code, text, sizeof text);
    ERR_clear_error();
    return cof_diag_set(diag, err, "%s%s%s", what, text[0] != '\0' ? ": " : "", text);
}

static int on_new_session(SSL *ssl, SSL_SESSION *session)
{
    struct cof_tls_conn *conn = SSL_get_app_data(ssl);
    struct cof_tls_ctx *ctx;
    unsigned slot;

    if (conn == NULL || conn->host[0] == '\0')
        return 0;
    ctx = conn->ctx;
    for (slot = 0; slot < SESSIONS; slot++)
        if (strcmp(ctx->sessions[slot].host, conn->host) == 0)
            break;
    if (slot == SESSIONS)
        slot = ctx->next_session++ % SESSIONS;
    SSL_SESSION_free(ctx->sessions[slot].session);
    ctx->sessions[slot].session = session; /* moved: returning 1 keeps the reference */
    (void)snprintf(ctx->sessions[slot].host, sizeof ctx->sessions[slot].host, "%s", conn->host);
    conn->has_news = true;
    return 1;
}

static enum cof_err ctx_new(const SSL_METHOD *method, bool server, struct cof_tls_ctx **out)
{
    struct cof_tls_ctx *ctx = calloc(1, sizeof *ctx);
    char hybrid[] = "X25519MLKEM768:X25519:P-256:P-384", classical[] = "X25519:P-256:P-384";

    *out = NULL;
    if (ctx == NULL)
        return COF_E_MEMORY;
    ctx->refs = 1;
    ctx->server = server;
    /* No configuration of the machine's: what TLS may do is written here, and measured with the program. */
    (void)OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
    ctx->ssl = SSL_CTX_new(method);
    ctx->wire = cof_tls_wire_method();
    if (ctx->ssl == NULL || ctx->wire == NULL) {
        cof_tls_unref(ctx);
        return COF_E_MEMORY;
    }
    (void)SSL_CTX_set_mode(ctx->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                         SSL_MODE_RELEASE_BUFFERS);
    (void)SSL_CTX_set_options(ctx->ssl,
                              SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    /* The hybrid group where the library at hand has it, else the classical ones alone. */
    if (SSL_CTX_set1_groups_list(ctx->ssl, hybrid) != 1) {
        ERR_clear_error();
        (void)SSL_CTX_set1_groups_list(ctx->ssl, classical);
    }
    (void)SSL_CTX_set_cipher_list(ctx->ssl, "ECDHE+AESGCM:ECDHE+CHACHA20");
    SSL_CTX_set_security_level(ctx->ssl, 2);
    SSL_CTX_set_read_ahead(ctx->ssl, 1); /* else each record takes a read for its head and one for the rest */
    *out = ctx;
    return COF_OK;
}

static enum cof_err add_pem_roots(SSL_CTX *ssl, struct cof_view pem)
{
    BIO *bio = pem.len > INT32_MAX ? NULL : BIO_new_mem_buf(pem.data, (int)pem.len);
    X509 *cert;
    int n = 0;

    if (bio == NULL)
        return COF_E_MEMORY;
    while ((cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        if (X509_STORE_add_cert(SSL_CTX_get_cert_store(ssl), cert) == 1)
            n++;
        X509_free(cert);
    }
    ERR_clear_error(); /* the end of the file shows as an error */
    BIO_free(bio);
    return n > 0 ? COF_OK : COF_E_FORMAT;
}

/* A folder of hashed names is looked into at need, which is far quicker than reading the system's bundle. */
static enum cof_err file_roots(SSL_CTX *ssl, const struct cof_tls_client_opts *opts, struct cof_diag *diag)
{
    const char *dir = opts->ca_dir != NULL || opts->ca_file != NULL ? opts->ca_dir : "/etc/ssl/certs";
    bool ok = opts->ca_file == NULL || SSL_CTX_load_verify_file(ssl, opts->ca_file) == 1;

    if (!ok) {
        ERR_clear_error();
        return cof_diag_set(diag, COF_E_CONFIG, "%s: no CA certificates can be read from it", opts->ca_file);
    }
    if (dir != NULL && SSL_CTX_load_verify_dir(ssl, dir) != 1) {
        ERR_clear_error();
        return cof_diag_set(diag, COF_E_CONFIG, "%s: cannot be used as a folder of CA certificates", dir);
    }
    return COF_OK;
}

enum cof_err cof_tls_client_new(const struct cof_tls_client_opts *opts, struct cof_tls_ctx **out, struct cof_diag *diag)
{
    struct cof_tls_ctx *ctx;
    enum cof_err err = ctx_new(TLS_client_method(), false, &ctx);

    *out = NULL;
    if (err != COF_OK)
        return err;
    (void)SSL_CTX_set_min_proto_version(ctx->ssl, TLS1_2_VERSION);
    SSL_CTX_set_verify(ctx->ssl, SSL_VERIFY_PEER, NULL);
    (void)SSL_CTX_set_session_cache_mode(ctx->ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(ctx->ssl, on_new_session);
    if (opts->ca_pem.len > 0) {
        err = add_pem_roots(ctx->ssl, opts->ca_pem);
        if (err != COF_OK)
            (void)cof_diag_set(diag, err, "the configured roots hold no certificate");
    } else {
        err = file_roots(ctx->ssl, opts, diag);
    }
    if (err != COF_OK) {
        cof_tls_unref(ctx);
        return err;
    }
    *out = ctx;
    return COF_OK;
}

/* Clients must show a certificate of these authorities; the list of names tells them which to take. */
static enum cof_err demand_client(SSL_CTX *ssl, const char *ca_file, struct cof_diag *diag)
{
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(ca_file);

    if (names == NULL || SSL_CTX_load_verify_file(ssl, ca_file) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return ssl_failed(diag, COF_E_CONFIG, "cannot use the file of client certificate authorities");
    }
    SSL_CTX_set_client_CA_list(ssl, names); /* which owns them now */
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return COF_OK;
}

enum cof_err cof_tls_server_new(const struct cof_tls_server_opts *opts, struct cof_tls_ctx **out, struct cof_diag *diag)
{
    struct cof_tls_ctx *ctx;
    enum cof_err err = ctx_new(TLS_server_method(), true, &ctx);

    *out = NULL;
    if (err != COF_OK)
        return err;
    (void)SSL_CTX_set_min_proto_version(ctx->ssl, opts->allow_tls12 ? TLS1_2_VERSION : TLS1_3_VERSION);
    /* Resumption by tickets alone, one a connection: a cache here would only grow. */
    (void)SSL_CTX_set_session_cache_mode(ctx->ssl, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_num_tickets(ctx->ssl, 1);
    (void)SSL_CTX_set_session_id_context(ctx->ssl, (const unsigned char *)"coffer", 6);
    if (SSL_CTX_use_certificate_chain_file(ctx->ssl, opts->cert_file) != 1)
        err = ssl_failed(diag, COF_E_CONFIG, "cannot use the TLS certificate file");
    else if (SSL_CTX_use_PrivateKey_file(ctx->ssl, opts->key_file, SSL_FILETYPE_PEM) != 1 ||
             SSL_CTX_check_private_key(ctx->ssl) != 1)
        err = ssl_failed(diag, COF_E_CONFIG, "cannot use the TLS key file");
    if (err == COF_OK && opts->client_ca_file != NULL)
        err = demand_client(ctx->ssl, opts->client_ca_file, diag);
    if (err != COF_OK) {
        cof_tls_unref(ctx);
        return err;
    }
    *out = ctx;
    return COF_OK;
}

struct cof_tls_ctx *cof_tls_ref(struct cof_tls_ctx *ctx)
{
    if (ctx != NULL)
        ctx->refs++;
    return ctx;
}

void cof_tls_unref(struct cof_tls_ctx *ctx)
{
    if (ctx == NULL || --ctx->refs > 0)
        return;
    for (unsigned i = 0; i < SESSIONS; i++)
        SSL_SESSION_free(ctx->sessions[i].session);
    SSL_CTX_free(ctx->ssl);
    BIO_meth_free(ctx->wire);
    free(ctx);
}

static SSL_SESSION *find_session(const struct cof_tls_ctx *ctx, const char *host)
{
    for (unsigned i = 0; i < SESSIONS; i++)
        if (ctx->sessions[i].session != NULL && strcmp(ctx->sessions[i].host, host) == 0)
            return ctx->sessions[i].session;
    return NULL;
}

bool cof_tls_has_session(const struct cof_tls_ctx *ctx, const char *host)
{
    return find_session(ctx, host) != NULL;
}

void cof_tls_handshakes(const struct cof_tls_ctx *ctx, unsigned long *finished, unsigned long *resumed)
{
    *finished = (unsigned long)SSL_CTX_sess_connect_good(ctx->ssl);
    *resumed = (unsigned long)SSL_CTX_sess_hits(ctx->ssl);
}

/* The name goes out as SNI and must be in the certificate; a literal address is checked as an address. */
static bool set_host(struct cof_tls_conn *conn, const char *host)
{
    struct in6_addr literal;
    X509_VERIFY_PARAM *param = SSL_get0_param(conn->ssl);

    if (strlen(host) >= sizeof conn->host)
        return false;
    (void)snprintf(conn->host, sizeof conn->host, "%s", host);
    if (inet_pton(AF_INET, host, &literal) == 1 || inet_pton(AF_INET6, host, &literal) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_host(param, host, 0) == 1 && SSL_set_tlsext_host_name(conn->ssl, conn->host) == 1;
}

enum cof_err cof_tls_conn_new(struct cof_tls_ctx *ctx, int fd, const char *host, bool small_sends, struct cof_tls_conn **out)
{
    struct cof_tls_conn *conn = calloc(1, sizeof *conn);
    bool ok;

    *out = NULL;
    if (conn == NULL)
        return COF_E_MEMORY;
    conn->ctx = cof_tls_ref(ctx);
    conn->ssl = SSL_new(ctx->ssl);
    conn->wire = conn->ssl == NULL ? NULL : cof_tls_wire_new(ctx->wire, fd, small_sends);
    ok = conn->wire != NULL;
    if (ok)
        SSL_set_bio(conn->ssl, conn->wire, conn->wire);
    if (ok && !ctx->server)
        ok = host != NULL && set_host(conn, host);
    if (!ok) {
        cof_tls_conn_free(conn);
        return COF_E_MEMORY;
    }
    (void)SSL_set_app_data(conn->ssl, conn);
    if (ctx->server) {
        SSL_set_accept_state(conn->ssl);
    } else {
        SSL_SESSION *known = find_session(ctx, host);

        SSL_set_connect_state(conn->ssl);
        if (known != NULL)
            (void)SSL_set_session(conn->ssl, known);
    }
    *out = conn;
    return COF_OK;
}

static enum cof_tls_want want(struct cof_tls_conn *conn, int ret)
{
    switch (SSL_get_error(conn->ssl, ret)) {
    case SSL_ERROR_NONE:
        return COF_TLS_OK;
    case SSL_ERROR_WANT_READ:
        return COF_TLS_WANT_READ;
    case SSL_ERROR_WANT_WRITE:
        return COF_TLS_WANT_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        return COF_TLS_EOF;
    default:
        return COF_TLS_FAILED;
    }
}

enum cof_tls_want cof_tls_conn_handshake(struct cof_tls_conn *conn, enum cof_err *err, struct cof_diag *diag)
{
    enum cof_tls_want w;
    long verdict;

    ERR_clear_error();
    w = want(conn, SSL_do_handshake(conn->ssl));
    if (w != COF_TLS_FAILED && w != COF_TLS_EOF)
        return w;
    verdict = SSL_get_verify_result(conn->ssl);
    if (!conn->ctx->server && verdict != X509_V_OK) {
        *err = cof_diag_set(diag, COF_E_AUTH, "%s: the TLS certificate is not trusted: %s", conn->host,
                            X509_verify_cert_error_string(verdict));
        cof_diag_hint(diag, "for a private certificate authority name its file (AWS_CA_BUNDLE or --ca-bundle; of a gateway --ca-file)");
        ERR_clear_error();
    } else {
        *err = ssl_failed(diag, COF_E_IO, "TLS handshake failed");
    }
    return COF_TLS_FAILED;
}

enum cof_tls_want cof_tls_conn_read(struct cof_tls_conn *conn, uint8_t *out, size_t len, size_t *n)
{
    ERR_clear_error();
    *n = 0;
    return want(conn, SSL_read_ex(conn->ssl, out, len, n));
}

enum cof_tls_want cof_tls_conn_write(struct cof_tls_conn *conn, const uint8_t *data, size_t len, size_t *n)
{
    ERR_clear_error();
    *n = 0;
    return want(conn, SSL_write_ex(conn->ssl, data, len, n));
}

bool cof_tls_conn_push(struct cof_tls_conn *conn)
{
    return cof_tls_wire_push(conn->wire);
}

size_t cof_tls_conn_waiting(const struct cof_tls_conn *conn)
{
    return cof_tls_wire_waiting(conn->wire);
}

bool cof_tls_conn_take_news(struct cof_tls_conn *conn)
{
    bool news = conn->has_news;

    conn->has_news = false;
    return news;
}

void cof_tls_conn_flow(struct cof_tls_conn *conn)
{
    if (conn->is_flowing)
        return;
    conn->is_flowing = true;
    SSL_set_default_read_buffer_len(conn->ssl, READ_AHEAD);
}

void cof_tls_conn_rest(struct cof_tls_conn *conn)
{
    cof_tls_wire_release(conn->wire);
    SSL_set_default_read_buffer_len(conn->ssl, 0);
    conn->is_flowing = false;
}

void cof_tls_conn_names(const struct cof_tls_conn *conn, const char **version, const char **cipher)
{
    *version = SSL_get_version(conn->ssl);
    *cipher = SSL_get_cipher_name(conn->ssl);
}

void cof_tls_conn_shutdown(struct cof_tls_conn *conn)
{
    if (SSL_is_init_finished(conn->ssl)) {
        ERR_clear_error();
        (void)SSL_shutdown(conn->ssl);
        (void)cof_tls_wire_push(conn->wire);
        ERR_clear_error();
    }
}

void cof_tls_conn_free(struct cof_tls_conn *conn)
{
    if (conn == NULL)
        return;
    SSL_free(conn->ssl);
    cof_tls_unref(conn->ctx);
    free(conn);
}
