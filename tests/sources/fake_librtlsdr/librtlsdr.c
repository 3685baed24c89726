/* A librtlsdr without a radio: the C interface of the real one, behind which a recording is
 * streamed and faults are injected. Written for these tests from the documented interface;
 * compiled by tests/sources/fake_radio.py, which explains how it is told what to do.
 *
 * -DOLD leaves out what the library of Debian 12 (0.6.0) lacks; -DANCIENT also what nothing
 * can do without.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

typedef void (*rtlsdr_read_async_cb_t)(unsigned char *buf, uint32_t len, void *ctx);
typedef struct rtlsdr_dev {
    uint32_t index, rate, freq;
    int ppm, gain, manual, direct, test_mode, bias_tee;
    volatile int running, cancel;
} rtlsdr_dev_t;

enum { MAX_FAULTS = 64, NO_DEVICE = -4 };
struct fault {
    char name[24];
    long long arg, at;
};
static struct fault faults[MAX_FAULTS];
static int n_faults;

/* --- what the tests say, and what they are told ------------------------------------------ */

static const char *setting(const char *name, const char *otherwise) {
    char key[64];
    snprintf(key, sizeof key, "FAKE_RTLSDR_%s", name);
    const char *value = getenv(key);
    return value && *value ? value : otherwise;
}

static void note(const char *form, ...) {
    const char *path = setting("LOG", NULL);
    if (!path) return;
    char line[256];
    va_list list;
    va_start(list, form);
    int n = vsnprintf(line, sizeof line - 1, form, list);
    va_end(list);
    line[n++] = '\n';
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);
    if (fd < 0 || write(fd, line, n) != n) abort();
    close(fd);
}

/* "name=value name=value": the value for `call`, or `otherwise`. */
static int listed(const char *list, const char *call, int otherwise) {
    size_t n = strlen(call);
    for (const char *at = list; (at = strstr(at, call)); at += n)
        if ((at == list || at[-1] == ' ') && at[n] == '=') return atoi(at + n + 1);
    return otherwise;
}

static int refused(const char *call) {
    return listed(setting("REFUSE", ""), call, 0);
}

static int absent(void) {
    const char *path = setting("ABSENT", NULL);
    return path && access(path, F_OK) == 0;
}

static void unplug(void) {
    int fd = open(setting("ABSENT", ""), O_WRONLY | O_CREAT, 0644);
    if (fd < 0) abort();
    close(fd);
}

static void hang_if_told(const char *call) {
    if (listed(setting("HANG", ""), call, 0)) {
        note("hangs in %s", call);
        for (;;) pause();
    }
}

/* Faults as "name[=number][@sample]", separated by blanks. */
static void add_faults(const char *script, long long now) {
    char copy[1024], *rest = NULL;
    snprintf(copy, sizeof copy, "%s", script);
    for (char *word = strtok_r(copy, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest)) {
        if (n_faults == MAX_FAULTS) abort();
        struct fault *f = &faults[n_faults++];
        char *at = strchr(word, '@'), *arg = strchr(word, '=');
        f->at = at ? atoll(at + 1) : now;
        f->arg = arg ? atoll(arg + 1) : 0;
        snprintf(f->name, sizeof f->name, "%.*s", (int)strcspn(word, "=@"), word);
    }
}

/* What a test puts into the control file is done once, by whichever process comes first. */
static void read_control(long long now) {
    const char *path = setting("CONTROL", NULL);
    if (!path || access(path, F_OK) != 0) return;
    char taken[512], script[1024];
    snprintf(taken, sizeof taken, "%s.%d", path, (int)getpid());
    if (rename(path, taken) != 0) return;
    int fd = open(taken, O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, script, sizeof script - 1);
    if (n < 0) abort();
    script[n] = 0;
    close(fd);
    unlink(taken);
    add_faults(script, now);
}

/* --- devices ------------------------------------------------------------------------------ */

static int serial_of(uint32_t index, char *serial) {
    const char *at = setting("SERIALS", "00000001");
    for (; index && *at; index--) {
        at += strcspn(at, ",");
        at += *at == ',';
    }
    size_t n = strcspn(at, ",");
    if (!n || absent()) return -1;
    if (serial) snprintf(serial, 256, "%.*s", (int)(n < 255 ? n : 255), at);
    return 0;
}

uint32_t rtlsdr_get_device_count(void) {
    uint32_t n = 0;
    if (strcmp(setting("SERIALS", "00000001"), "none") == 0) return 0;
    while (serial_of(n, NULL) == 0) n++;
    return n;
}

const char *rtlsdr_get_device_name(uint32_t index) {
    return index < rtlsdr_get_device_count() ? "Generic RTL2832U OEM" : "";
}

int rtlsdr_get_device_usb_strings(uint32_t index, char *maker, char *product, char *serial) {
    int code = refused("get_device_usb_strings");
    if (code) return code;
    if (index >= rtlsdr_get_device_count()) return -2;
    if (maker) snprintf(maker, 256, "%s", setting("MAKER", "Realtek"));
    if (product) snprintf(product, 256, "%s", setting("PRODUCT", "RTL2838UHIDIR"));
    return serial ? serial_of(index, serial) : 0;
}

int rtlsdr_get_usb_strings(rtlsdr_dev_t *dev, char *maker, char *product, char *serial) {
    return rtlsdr_get_device_usb_strings(dev->index, maker, product, serial);
}

int rtlsdr_get_index_by_serial(const char *wanted) {
    char serial[256];
    uint32_t n = rtlsdr_get_device_count();
    for (uint32_t k = 0; k < n; k++)
        if (serial_of(k, serial) == 0 && strcmp(serial, wanted) == 0) return k;
    return n ? -3 : -2;
}

int rtlsdr_open(rtlsdr_dev_t **dev, uint32_t index) {
    int code = refused("open");
    note("open %u", index);
    hang_if_told("open");
    if (code) return code;
    if (index >= rtlsdr_get_device_count()) return -1;
    *dev = calloc(1, sizeof **dev);
    (*dev)->index = index;
    fprintf(stderr, "Found a tuner that is not there\n");
    return 0;
}

int rtlsdr_close(rtlsdr_dev_t *dev) {
    if (!dev) return -1;
    note("close");
    hang_if_told("close");
    while (dev->running) usleep(10000); /* for ever, as the real one does */
    note("closed with bias_tee %d", dev->bias_tee);
    free(dev);
    return 0;
}

/* --- settings ----------------------------------------------------------------------------- */

static int set(rtlsdr_dev_t *dev, const char *call, long long value, int *where) {
    int code = refused(call);
    note("%s %lld", call, value);
    if (!dev || absent()) return NO_DEVICE;
    if (!code && where) *where = (int)value;
    return code;
}

int rtlsdr_set_center_freq(rtlsdr_dev_t *dev, uint32_t freq) {
    double low = atof(setting("LOW_HZ", "24e6")), high = atof(setting("HIGH_HZ", "1766e6"));
    int code = set(dev, "set_center_freq", freq, NULL);
    if (!code && !dev->direct && (freq < low || freq > high)) code = -1;
    dev->freq = code ? 0 : freq;
    return code;
}

uint32_t rtlsdr_get_center_freq(rtlsdr_dev_t *dev) { return dev->freq; }

int rtlsdr_set_freq_correction(rtlsdr_dev_t *dev, int ppm) {
    if (dev->ppm == ppm) return -2; /* as the real one, which takes no change for a fault */
    return set(dev, "set_freq_correction", ppm, &dev->ppm);
}

int rtlsdr_get_freq_correction(rtlsdr_dev_t *dev) { return dev->ppm; }
int rtlsdr_get_tuner_type(rtlsdr_dev_t *dev) { return dev ? atoi(setting("TUNER", "5")) : 0; }

int rtlsdr_get_tuner_gains(rtlsdr_dev_t *dev, int *gains) {
    static const int tenths_db[] = {0, 9, 14, 27, 37, 77, 87, 125, 144, 157, 166, 197, 207, 229, 254,
                                    280, 297, 328, 338, 364, 372, 386, 402, 421, 434, 439, 445, 480, 496};
    if (!dev) return -1;
    if (gains) memcpy(gains, tenths_db, sizeof tenths_db);
    return sizeof tenths_db / sizeof *tenths_db;
}

int rtlsdr_set_tuner_gain(rtlsdr_dev_t *dev, int gain) {
    return set(dev, "set_tuner_gain", gain, &dev->gain);
}
int rtlsdr_get_tuner_gain(rtlsdr_dev_t *dev) { return dev->gain; }
int rtlsdr_set_tuner_gain_mode(rtlsdr_dev_t *dev, int manual) {
    return set(dev, "set_tuner_gain_mode", manual, &dev->manual);
}
int rtlsdr_set_agc_mode(rtlsdr_dev_t *dev, int on) { return set(dev, "set_agc_mode", on, NULL); }
int rtlsdr_set_direct_sampling(rtlsdr_dev_t *dev, int on) {
    return set(dev, "set_direct_sampling", on, &dev->direct);
}
int rtlsdr_get_direct_sampling(rtlsdr_dev_t *dev) { return dev->direct; }
int rtlsdr_set_offset_tuning(rtlsdr_dev_t *dev, int on) {
    return set(dev, "set_offset_tuning", on, NULL);
}
int rtlsdr_set_testmode(rtlsdr_dev_t *dev, int on) {
    return set(dev, "set_testmode", on, &dev->test_mode);
}
int rtlsdr_set_bias_tee(rtlsdr_dev_t *dev, int on) {
    return set(dev, "set_bias_tee", on, &dev->bias_tee);
}
int rtlsdr_set_xtal_freq(rtlsdr_dev_t *dev, uint32_t rtl, uint32_t tuner) {
    return set(dev, "set_xtal_freq", (long long)rtl + tuner, NULL);
}
int rtlsdr_get_xtal_freq(rtlsdr_dev_t *dev, uint32_t *rtl, uint32_t *tuner) {
    if (!dev) return -1;
    *rtl = *tuner = 28800000;
    return 0;
}

int rtlsdr_set_sample_rate(rtlsdr_dev_t *dev, uint32_t rate) {
    int code = set(dev, "set_sample_rate", rate, NULL);
    if (code) return code;
    if (rate <= 225000 || rate > 3200000 || (rate > 300000 && rate <= 900000)) return -EINVAL;
    /* The divider of the real chip is a multiple of four. */
    uint64_t divider = (uint64_t)(28800000.0 * 4194304.0 / rate) & ~3ull;
    dev->rate = (uint32_t)(28800000.0 * 4194304.0 / divider);
    return 0;
}
uint32_t rtlsdr_get_sample_rate(rtlsdr_dev_t *dev) {
    const char *other = setting("RATE_HZ", NULL);
    return other ? (uint32_t)atoll(other) : dev->rate;
}

int rtlsdr_set_tuner_bandwidth(rtlsdr_dev_t *dev, uint32_t bandwidth) {
    return set(dev, "set_tuner_bandwidth", bandwidth, NULL);
}

#ifndef OLD
int rtlsdr_set_and_get_tuner_bandwidth(rtlsdr_dev_t *dev, uint32_t bandwidth, uint32_t *applied,
                                       int apply) {
    *applied = (bandwidth + 99999) / 100000 * 100000; /* filters in steps of 100 kHz */
    return apply ? set(dev, "set_tuner_bandwidth", bandwidth, NULL) : 0;
}
int rtlsdr_is_tuner_PLL_locked(rtlsdr_dev_t *dev) { return dev ? refused("lock") : -1; }
int rtlsdr_set_dithering(rtlsdr_dev_t *dev, int on) { return set(dev, "set_dithering", on, NULL); }
int rtlsdr_set_gpio_output(rtlsdr_dev_t *dev, uint8_t pin) { return set(dev, "gpio", pin, NULL); }
int rtlsdr_set_gpio_input(rtlsdr_dev_t *dev, uint8_t pin) { return set(dev, "gpio", pin, NULL); }
int rtlsdr_set_gpio_bit(rtlsdr_dev_t *dev, uint8_t pin, int on) {
    return set(dev, "gpio", pin + on, NULL);
}
int rtlsdr_get_gpio_bit(rtlsdr_dev_t *dev, uint8_t pin, int *on) {
    *on = 0;
    return set(dev, "gpio", pin, NULL);
}
int rtlsdr_set_gpio_byte(rtlsdr_dev_t *dev, int pins) { return set(dev, "gpio", pins, NULL); }
int rtlsdr_get_gpio_byte(rtlsdr_dev_t *dev, int *pins) { return set(dev, "gpio", *pins = 0, NULL); }
int rtlsdr_set_gpio_status(rtlsdr_dev_t *dev, int *pins) { return set(dev, "gpio", *pins = 0, NULL); }
#endif

/* --- streaming ---------------------------------------------------------------------------- */

struct recording {
    const uint8_t *bytes;
    size_t n_bytes;
    int loops;
};

static struct recording open_recording(void) {
    struct recording r = {NULL, 0, atoi(setting("LOOP", "0"))};
    const char *path = setting("FILE", NULL);
    if (!path) return r;
    struct stat status;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &status) != 0) abort();
    r.n_bytes = status.st_size;
    r.bytes = mmap(NULL, r.n_bytes, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (r.bytes == MAP_FAILED) abort();
    return r;
}

/* Fill a buffer with what the radio hears from this byte of its stream on. */
static uint32_t fill(const rtlsdr_dev_t *dev, const struct recording *r, uint64_t from, uint8_t *to,
                     uint32_t n) {
    if (dev->test_mode || !r->bytes) {
        for (uint32_t k = 0; k < n; k++) to[k] = (uint8_t)(from + k);
        return n;
    }
    uint32_t done = 0;
    while (done < n && (r->loops || from + done < r->n_bytes)) {
        size_t at = (from + done) % r->n_bytes, part = r->n_bytes - at;
        if (part > n - done) part = n - done;
        memcpy(to + done, r->bytes + at, part);
        done += part;
    }
    return done;
}

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static void wait_until(const rtlsdr_dev_t *dev, double until_s) {
    double left_s;
    while (!dev->cancel && (left_s = until_s - now_s()) > 0)
        usleep((useconds_t)(1e6 * (left_s < 0.005 ? left_s : 0.005)));
}

struct stream {
    long long produced, delivered, lost; /* samples */
    double begun_s;
    int code, ended, silent;
};

static void count(const struct stream *s) {
    const char *path = setting("COUNT", NULL);
    if (!path) return;
    char line[80];
    int n = snprintf(line, sizeof line, "%20lld %20lld %20lld\n", s->produced, s->delivered, s->lost);
    int fd = open(path, O_WRONLY | O_CREAT, 0644);
    if (fd < 0 || pwrite(fd, line, n, 0) != n) abort();
    close(fd);
}

static void lose(struct stream *s, long long samples) {
    note("lost %lld at %lld", samples, s->produced);
    s->produced += samples;
    s->lost += samples;
}

static void commit(struct fault *f, struct stream *s, const rtlsdr_dev_t *dev) {
    note("fault %s at %lld", f->name, s->produced);
    if (strcmp(f->name, "overflow") == 0) lose(s, f->arg);
    else if (strcmp(f->name, "return") == 0) s->ended = 1, s->code = (int)f->arg;
    else if (strcmp(f->name, "silence") == 0) s->silent = 1;
    else if (strcmp(f->name, "pause") == 0) wait_until(dev, now_s() + f->arg * 1e-3);
    else if (strcmp(f->name, "unplug") == 0) unplug();
    else if (strcmp(f->name, "crash") == 0) signal(SIGSEGV, SIG_DFL), raise(SIGSEGV);
    else abort();
}

static void commit_faults(struct stream *s, const rtlsdr_dev_t *dev) {
    read_control(s->produced);
    for (int k = 0; k < n_faults; k++)
        if (faults[k].at <= s->produced) {
            struct fault f = faults[k];
            faults[k--] = faults[--n_faults];
            commit(&f, s, dev);
        }
}

/* Wait for the air to have sent what fills a buffer; what came while nobody took it is lost. */
static void keep_time(struct stream *s, const rtlsdr_dev_t *dev, uint32_t n, long long room) {
    double speed = atof(setting("SPEED", "1")); /* 0: as fast as it goes */
    if (speed <= 0) return;
    double rate = dev->rate * speed;
    long long late = (long long)((now_s() - s->begun_s) * rate) - s->produced - room;
    if (late > 0) lose(s, late);
    wait_until(dev, s->begun_s + (s->produced + n) / rate);
}

int rtlsdr_read_async(rtlsdr_dev_t *dev, rtlsdr_read_async_cb_t callback, void *context,
                      uint32_t buf_num, uint32_t buf_len) {
    int code = refused("read_async");
    if (!buf_num) buf_num = 15;
    if (!buf_len || buf_len % 512) buf_len = 16 * 32 * 512;
    note("read_async %u %u", buf_num, buf_len);
    if (code) return code;
    hang_if_told("read_async");
    usleep(1000 * atoi(setting("SLOW", "0")));
    struct recording recording = open_recording();
    uint8_t *buffers = malloc((size_t)buf_num * buf_len);
    struct stream s = {.begun_s = now_s()};
    dev->cancel = 0;
    dev->running = 1;
    n_faults = 0;
    add_faults(setting("FAULTS", ""), 0);
    for (uint32_t k = 0; !s.ended; k = (k + 1) % buf_num) {
        int last = dev->cancel; /* one more comes after a cancel */
        commit_faults(&s, dev);
        if (absent()) s.ended = 1;
        if (s.silent) {
            wait_until(dev, now_s() + 0.05);
            if (dev->cancel) break;
            continue;
        }
        if (s.ended) break;
        keep_time(&s, dev, buf_len / 2, (long long)buf_num * buf_len / 2);
        uint8_t *buffer = buffers + (size_t)k * buf_len;
        uint32_t n = fill(dev, &recording, 2 * s.produced, buffer, buf_len);
        if (n) {
            s.produced += n / 2;
            s.delivered += n / 2;
            callback(buffer, n, context);
            memset(buffer, 0x55, buf_len); /* it is used again: a reader has to copy */
            count(&s);
        }
        if (n < buf_len || last) s.ended = 1;
    }
    note("end produced %lld delivered %lld lost %lld", s.produced, s.delivered, s.lost);
    dev->running = 0;
    free(buffers);
    if (recording.bytes) munmap((void *)recording.bytes, recording.n_bytes);
    return s.code;
}

int rtlsdr_wait_async(rtlsdr_dev_t *dev, rtlsdr_read_async_cb_t callback, void *context) {
    return rtlsdr_read_async(dev, callback, context, 0, 0);
}

#ifndef ANCIENT
int rtlsdr_cancel_async(rtlsdr_dev_t *dev) {
    note("cancel_async");
    hang_if_told("cancel_async");
    if (!dev->running || dev->cancel) return -2; /* too early, and the second time */
    dev->cancel = 1;
    return 0;
}
#endif

int rtlsdr_reset_buffer(rtlsdr_dev_t *dev) { return set(dev, "reset_buffer", 0, NULL); }

int rtlsdr_read_sync(rtlsdr_dev_t *dev, void *buffer, int n, int *n_read) {
    struct recording recording = open_recording();
    *n_read = (int)fill(dev, &recording, 0, buffer, n);
    return 0;
}
