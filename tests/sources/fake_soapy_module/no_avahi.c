/* Preloaded into the real SoapySDRServer, which ends by itself where no Avahi daemon runs to
 * announce it: says that one does. Nothing is announced. */
#include <stddef.h>

static int nothing;

void *avahi_client_new(const void *poll, int flags, void *callback, void *data, int *error) {
    (void)poll, (void)flags, (void)callback, (void)data;
    if (error) *error = 0;
    return &nothing;
}
void avahi_client_free(void *client) { (void)client; }
int avahi_client_get_state(void *client) {
    (void)client;
    return 2; /* AVAHI_CLIENT_S_RUNNING */
}
int avahi_client_errno(void *client) {
    (void)client;
    return 0;
}
const char *avahi_client_get_version_string(void *client) { return client ? "none" : ""; }
const char *avahi_client_get_host_name(void *client) { return client ? "none" : ""; }
const char *avahi_client_get_domain_name(void *client) { return client ? "none" : ""; }
const char *avahi_client_get_host_name_fqdn(void *client) { return client ? "none" : ""; }
void *avahi_entry_group_new(void *client, void *callback, void *data) {
    (void)client, (void)callback, (void)data;
    return NULL;
}
void *avahi_service_browser_new(void) { return NULL; }
