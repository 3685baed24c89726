// A SoapySDR driver without a radio: it streams a recording, and has faults on command.
//
// Every argument is a device argument, or the environment's FAKE_SOAPY_NAME:
//   file        recording in the native format, repeated for ever
//   format      CS16 (default), CS8 or CF32; full_scale: of the native format
//   stamps      none (default), samples (right), bytes (two ticks a sample)
//   pace        fast (default: as asked) or real (at the sample rate, with a queue of 0.25 s)
//   mtu         samples of a read; devices: how many are found
//   faults      SAMPLE/KIND/VALUE;... in order of SAMPLE, counting lost ones too:
//                 overflow/N (N samples lost, and said), gap/N (lost, and not said),
//                 abrupt/N (lost after a flagged read), code/N (a read returns N),
//                 silence (time-outs for ever), hang, throw, crash
//   control     file to put KIND/VALUE into while it runs
//   hang_in     deactivate or close; refuse: name of a setting that throws
//   bare        1: no automatic gain, correction, bandwidth or settings
//   log         file for what was set, and at the end what was produced
#include <SoapySDR/Device.hpp>
#include <SoapySDR/Formats.hpp>
#include <SoapySDR/Logger.hpp>
#include <SoapySDR/Registry.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <thread>

using Clock = std::chrono::steady_clock;
using SoapySDR::Range;

static const long long EPOCH_NS = 1700000000123456789LL;

static void hang() {
    for (;;) std::this_thread::sleep_for(std::chrono::seconds(1));
}

static std::string argument(const SoapySDR::Kwargs &args, const std::string &name,
                            const std::string &other) {
    if (args.count(name)) return args.at(name);
    std::string variable = "FAKE_SOAPY_" + name;
    std::transform(variable.begin(), variable.end(), variable.begin(), ::toupper);
    const char *value = std::getenv(variable.c_str());
    return value ? value : other;
}

struct Fault {
    long long at = 0, value = 0;
    std::string kind;
};

class FakeRadio : public SoapySDR::Device {
  public:
    explicit FakeRadio(const SoapySDR::Kwargs &args) : args_(args) {
        std::ifstream file(arg("file", ""), std::ios::binary);
        data_.assign(std::istreambuf_iterator<char>(file), {});
        mtu_ = std::stoul(arg("mtu", "4096"));
        std::stringstream all(arg("faults", ""));
        for (std::string one; std::getline(all, one, ';');) {
            const size_t slash = one.find('/');
            faults_.push_back(fault(std::stoll(one.substr(0, slash)), one.substr(slash + 1)));
        }
        std::cout << "fake radio on stdout" << std::endl;
        std::cerr << "fake radio on stderr" << std::endl;
        SoapySDR::log(SOAPY_SDR_WARNING, "fake radio warns");
    }

    std::string getDriverKey() const override { return arg("key", "fakeradio"); }
    std::string getHardwareKey() const override { return "Fake"; }
    SoapySDR::Kwargs getHardwareInfo() const override { return {{"serial", arg("serial", "0")}}; }
    size_t getNumChannels(const int direction) const override { return direction == SOAPY_SDR_RX; }

    // Settings
    std::vector<std::string> listAntennas(const int, const size_t) const override {
        return {"RX", "HF"};
    }
    void setAntenna(const int, const size_t, const std::string &name) override {
        note("antenna", name);
        antenna_ = name;
    }
    std::string getAntenna(const int, const size_t) const override { return antenna_; }
    std::vector<std::string> listGains(const int, const size_t) const override {
        return {"LNA", "VGA"};
    }
    bool hasGainMode(const int, const size_t) const override { return not bare(); }
    void setGainMode(const int, const size_t, const bool automatic) override {
        note("gain_mode", automatic ? "auto" : "manual");
        automatic_ = automatic;
    }
    bool getGainMode(const int, const size_t) const override { return automatic_; }
    using SoapySDR::Device::getGain;
    using SoapySDR::Device::getGainRange;
    using SoapySDR::Device::setGain;
    void setGain(const int, const size_t, const std::string &name, const double db) override {
        note("gain", name + "=" + number(db));
        gains_[name] = std::round(db);
    }
    double getGain(const int, const size_t, const std::string &name) const override {
        return gains_.count(name) ? gains_.at(name) : 0;
    }
    Range getGainRange(const int, const size_t, const std::string &name) const override {
        return name == "LNA" ? Range(0, 40, 1) : Range(0, 62, 1);
    }
    bool hasFrequencyCorrection(const int, const size_t) const override { return not bare(); }
    void setFrequencyCorrection(const int, const size_t, const double ppm) override {
        note("ppm", number(ppm));
        ppm_ = ppm;
    }
    double getFrequencyCorrection(const int, const size_t) const override { return ppm_; }
    std::vector<std::string> listFrequencies(const int, const size_t) const override {
        return {"RF"};
    }
    using SoapySDR::Device::getFrequency;
    using SoapySDR::Device::getFrequencyRange;
    void setFrequency(const int, const size_t, const double hz,
                      const SoapySDR::Kwargs &) override {
        note("freq", number(hz));
        frequency_ = std::round(hz / 100) * 100;
    }
    double getFrequency(const int, const size_t) const override { return frequency_; }
    SoapySDR::RangeList getFrequencyRange(const int, const size_t) const override {
        return {Range(24e6, 1766e6)};
    }
    void setSampleRate(const int, const size_t, const double hz) override {
        note("rate", number(hz));
        rate_ = hz;
    }
    double getSampleRate(const int, const size_t) const override { return rate_; }
    SoapySDR::RangeList getSampleRateRange(const int, const size_t) const override {
        return {Range(225001, 300000), Range(900001, 30e6)};
    }
    void setBandwidth(const int, const size_t, const double hz) override {
        note("bandwidth", number(hz));
        bandwidth_ = hz;
    }
    double getBandwidth(const int, const size_t) const override { return bandwidth_; }
    SoapySDR::RangeList getBandwidthRange(const int, const size_t) const override {
        if (bare()) return {};
        return {Range(200e3, 8e6)};
    }
    SoapySDR::ArgInfoList getSettingInfo() const override {
        if (bare()) return {};
        auto level = info("level", "-30", SoapySDR::ArgInfo::INT);
        level.range = Range(-60, 0);
        auto direct = info("direct_samp", "0", SoapySDR::ArgInfo::STRING);
        direct.options = {"0", "1", "2"};
        return {info("biastee", "false", SoapySDR::ArgInfo::BOOL), direct, level};
    }
    void writeSetting(const std::string &key, const std::string &value) override {
        note(key, value);
        settings_[key] = value;
    }
    std::string readSetting(const std::string &key) const override {
        return settings_.count(key) ? settings_.at(key) : "";
    }
    SoapySDR::ArgInfoList getSettingInfo(const int, const size_t) const override {
        if (bare()) return {};
        return {info("dc_mode", "true", SoapySDR::ArgInfo::BOOL)};
    }
    void writeSetting(const int, const size_t, const std::string &key,
                      const std::string &value) override {
        note("channel " + key, value);
    }

    // Stream
    std::vector<std::string> getStreamFormats(const int, const size_t) const override {
        return {arg("format", "CS16")};
    }
    std::string getNativeStreamFormat(const int, const size_t, double &scale) const override {
        scale = std::stod(arg("full_scale", "32768"));
        return arg("format", "CS16");
    }
    SoapySDR::ArgInfoList getStreamArgsInfo(const int, const size_t) const override {
        return {info("buffers", "15", SoapySDR::ArgInfo::INT)};
    }
    SoapySDR::Stream *setupStream(const int, const std::string &format,
                                  const std::vector<size_t> &,
                                  const SoapySDR::Kwargs &args) override {
        size_ = SoapySDR::formatToSize(format);
        if (args.count("buffers")) note("buffers", args.at("buffers"));
        return reinterpret_cast<SoapySDR::Stream *>(this);
    }
    size_t getStreamMTU(SoapySDR::Stream *) const override { return mtu_; }
    int activateStream(SoapySDR::Stream *, const int, const long long, const size_t) override {
        start_ = Clock::now();
        produced_ = lost_ = 0;
        active_ = true;
        return 0;
    }
    int deactivateStream(SoapySDR::Stream *, const int, const long long) override {
        if (arg("hang_in", "") == "deactivate") hang();
        active_ = false;
        note("produced", std::to_string(produced_));
        note("lost", std::to_string(lost_));
        return 0;
    }
    void closeStream(SoapySDR::Stream *) override {
        if (arg("hang_in", "") == "close") hang();
        note("closed", "");
    }
    int readStream(SoapySDR::Stream *, void *const *buffers, const size_t asked, int &flags,
                   long long &time_ns, const long timeout_us) override {
        flags = 0;
        if (not active_) {  // SoapyRemote's server asks before, and goes on asking after
            std::this_thread::sleep_for(std::chrono::microseconds(timeout_us));
            return SOAPY_SDR_TIMEOUT;
        }
        command();
        long long n = std::min(asked, mtu_);
        if (not faults_.empty()) {
            const Fault next = faults_.front();
            if (next.at <= produced_) {
                if (const int code = fail(next, timeout_us)) return code;
            } else {
                n = std::min(n, next.at - produced_);
                if (next.kind == "abrupt" and produced_ + n == next.at) flags |= SOAPY_SDR_END_ABRUPT;
            }
        }
        if (const int code = wait(n, timeout_us)) return code;
        if (arg("stamps", "none") != "none") {
            const int ticks = arg("stamps", "") == "bytes" ? 2 : 1;
            flags |= SOAPY_SDR_HAS_TIME;
            time_ns = EPOCH_NS + std::llround(ticks * 1e9L * produced_ / rate_);
        }
        copy(static_cast<char *>(buffers[0]), n);
        produced_ += n;
        return int(n);
    }

  private:
    std::string arg(const std::string &name, const std::string &other) const {
        return argument(args_, name, other);
    }
    bool bare() const { return arg("bare", "") == "1"; }

    static std::string number(const double value) {
        char text[32];
        std::snprintf(text, sizeof text, "%.10g", value);
        return text;
    }

    static SoapySDR::ArgInfo info(const std::string &key, const std::string &value,
                                  const SoapySDR::ArgInfo::Type type) {
        SoapySDR::ArgInfo found;
        found.key = key;
        found.value = value;
        found.type = type;
        return found;
    }

    void note(const std::string &what, const std::string &value) const {
        if (arg("refuse", "") == what) throw std::runtime_error("fake radio refuses");
        std::ofstream(arg("log", "/dev/null"), std::ios::app) << what << " " << value << std::endl;
    }

    static Fault fault(const long long at, const std::string &text) {
        const size_t slash = text.find('/');
        Fault made;
        made.at = at;
        made.kind = text.substr(0, slash);
        made.value = slash == std::string::npos ? 0 : std::stoll(text.substr(slash + 1));
        return made;
    }

    void command() {
        const std::string path = arg("control", "");
        if (path.empty()) return;
        std::string text;
        if (not std::getline(std::ifstream(path), text) or text.empty()) return;
        std::remove(path.c_str());
        faults_.insert(faults_.begin(), fault(produced_, text));
    }

    // Returns what the read has to return, 0 to go on.
    int fail(const Fault &next, const long timeout_us) {
        if (next.kind == "silence") {
            std::this_thread::sleep_for(std::chrono::microseconds(timeout_us));
            return SOAPY_SDR_TIMEOUT;
        }
        if (next.kind == "hang") hang();
        if (next.kind == "crash") std::abort();
        faults_.erase(faults_.begin());
        if (next.kind == "throw") throw std::runtime_error("fake radio throws");
        if (next.kind == "code") return int(next.value);
        lose(next.value);
        return next.kind == "overflow" ? SOAPY_SDR_OVERFLOW : 0;
    }

    void lose(const long long n) {
        produced_ += n;
        lost_ += n;
    }

    // At the radio's pace: until the samples are there, or past them when the queue is full.
    int wait(const long long n, const long timeout_us) {
        if (arg("pace", "fast") == "fast") return 0;
        const std::chrono::duration<double> due((produced_ + n) / rate_);
        const std::chrono::duration<double> now = Clock::now() - start_;
        if (now - due > std::chrono::milliseconds(250)) {
            lose((long long)(now.count() * rate_) - produced_);
            return SOAPY_SDR_OVERFLOW;
        }
        const std::chrono::microseconds limit(timeout_us);
        if (due - now > limit) {
            std::this_thread::sleep_for(limit);
            return SOAPY_SDR_TIMEOUT;
        }
        std::this_thread::sleep_for(due - now);
        return 0;
    }

    void copy(char *to, const long long n) const {
        size_t left = size_t(n) * size_, from = size_t(produced_) * size_ % data_.size();
        while (left) {
            const size_t part = std::min(left, data_.size() - from);
            std::memcpy(to, data_.data() + from, part);
            to += part;
            left -= part;
            from = 0;
        }
    }

    const SoapySDR::Kwargs args_;
    std::vector<char> data_;
    std::vector<Fault> faults_;
    std::atomic<bool> active_{false};
    size_t mtu_ = 0, size_ = 4;
    long long produced_ = 0, lost_ = 0;
    Clock::time_point start_;
    double rate_ = 1e6, frequency_ = 100e6, bandwidth_ = 0, ppm_ = 0;
    std::string antenna_ = "RX";
    std::map<std::string, double> gains_;
    bool automatic_ = false;
    std::map<std::string, std::string> settings_;
};

static SoapySDR::KwargsList find(const SoapySDR::Kwargs &args) {
    SoapySDR::KwargsList found;
    const int n = std::stoi(argument(args, "devices", "1"));
    for (int i = 0; i < n; i++) {
        const std::string serial = std::to_string(i);
        if (args.count("serial") and args.at("serial") != serial) continue;
        found.push_back({{"serial", serial}, {"label", "Fake radio " + serial}});
    }
    std::cerr << "fake radio was looked for" << std::endl;
    return found;
}

static SoapySDR::Device *make(const SoapySDR::Kwargs &args) {
    if (argument(args, "refuse", "") == "open") throw std::runtime_error("fake radio is in use");
    return new FakeRadio(args);
}

static SoapySDR::Registry registration("fakeradio", &find, &make, SOAPY_SDR_ABI_VERSION);
