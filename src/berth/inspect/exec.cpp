// SPDX-License-Identifier: LGPL-2.1-or-later
#include "berth/inspect/exec.hpp"
#include "base/format.hpp"

namespace berth::exec_rules {

namespace {

/// One exec, taken apart into the steps that the kernel takes, in its order.
class Exec {
public:
    Exec(const Caller &caller, const File &file) : caller_(caller), file_(file) {
        outcome_.uid = caller.uid;
        outcome_.gid = caller.gid;
        outcome_.sets.inheritable = caller.sets.inheritable;
    }

    Outcome run() {
        change_ids();
        take_file();
        if (outcome_.refused)
            return std::move(outcome_);
        count_root();
        hold_back();
        settle();
        return std::move(outcome_);
    }

private:
    template <class... Args> void say(std::format_string<Args...> format, Args &&...args) {
        outcome_.lines.push_back(berth::format(format, std::forward<Args>(args)...));
    }

    [[nodiscard]] std::string why_set_id_is_ignored() const {
        return caller_.no_new_privileges ? "the process has no_new_privs" : file_.set_id_ignored;
    }

    void change_ids() {
        const std::string ignored = why_set_id_is_ignored();
        if (file_.set_uid && !ignored.empty())
            say("set-uid bit: ignored, as {}", ignored);
        else if (file_.set_uid)
            say("set-uid bit: the effective uid becomes {}", outcome_.uid = *file_.set_uid);
        if (file_.set_gid && !ignored.empty())
            say("set-gid bit: ignored, as {}", ignored);
        else if (file_.set_gid)
            say("set-gid bit: the effective gid becomes {}", outcome_.gid = *file_.set_gid);
        ids_change_ = outcome_.uid != caller_.uid || outcome_.gid != caller_.gid;
    }

    /// (P(inheritable) & F(inheritable)) | (F(permitted) & P(bounding))
    void take_file() {
        const auto &has = file_.capabilities;
        if (!has || !has->ignored.empty()) {
            say("F: {}", has ? "ignored, as " + has->ignored : "the file has no capabilities");
            formula_ = "nothing comes from the file";
            return;
        }
        from_file_ = true;
        effective_ = has->effective;
        say("F(permitted) = {}", text_of(has->permitted));
        say("F(inheritable) = {}", text_of(has->inheritable));
        say("F(effective) = {}", has->effective ? "set" : "not set");
        const Set inherited = caller_.sets.inheritable & has->inheritable;
        const Set bounded = has->permitted & caller_.bounding;
        permitted_ = inherited | bounded;
        formula_ = berth::format("P(inheritable) & F(inheritable) = {}; F(permitted) & P(bounding) = {}",
                                 text_of(inherited), text_of(bounded));
        const Set missing = has->permitted & ~permitted_;
        outcome_.refused = has->effective && missing != 0;
        if (outcome_.refused)
            say("exec fails with EPERM (Operation not permitted): F(effective) is set, and P(bounding) lacks "
                "{}",
                text_of(missing));
    }

    void count_root() {
        const bool effective_root = outcome_.uid == 0;
        const bool real_root = caller_.uid == 0;
        if (!effective_root && !real_root)
            return;
        if (from_file_ && effective_root && !real_root) {
            say("root: set-uid root counts for nothing beside file capabilities");
            return;
        }
        permitted_ = caller_.bounding | caller_.sets.inheritable;
        formula_ = "P(bounding) | P(inheritable)";
        say("root: the {} uid is 0, so that the file counts as one with all capabilities",
            effective_root ? "effective" : "real");
        effective_ = effective_ || effective_root;
    }

    /// Under no_new_privs nobody comes out with more than he went in with.
    void hold_back() {
        const Set gained = permitted_ & ~caller_.sets.permitted;
        if (!caller_.no_new_privileges || gained == 0)
            return;
        permitted_ &= caller_.sets.permitted;
        formula_ +=
            berth::format("; & P(permitted), as the process has no_new_privs = {}", text_of(permitted_));
    }

    void settle() {
        Sets &sets = outcome_.sets;
        const bool cancelled = from_file_ || ids_change_;
        sets.ambient = cancelled ? 0 : caller_.sets.ambient;
        sets.permitted = permitted_ | sets.ambient;
        sets.effective = effective_ ? sets.permitted : sets.ambient;
        outcome_.gained = sets.permitted & ~caller_.sets.permitted;
        say("P'(ambient) = {} ({})", text_of(sets.ambient),
            !cancelled   ? "as before"
            : from_file_ ? "cleared: the file has capabilities"
                         : "cleared: the uid or gid changes");
        say("P'(permitted) = {} ({}{})", text_of(sets.permitted), formula_,
            sets.ambient != 0 ? "; and P'(ambient)" : "");
        say("P'(effective) = {} ({})", text_of(sets.effective),
            effective_ ? "all that is permitted" : "nothing makes it so: what is ambient");
        say("P'(inheritable) = {} (as before)", text_of(sets.inheritable));
        say("P'(bounding) = {} (as before)", text_of(caller_.bounding));
    }

    const Caller &caller_;
    const File &file_;
    Outcome outcome_;
    Set permitted_ = 0;
    bool effective_ = false;
    bool from_file_ = false;
    bool ids_change_ = false;
    std::string formula_; ///< what `permitted_` is made of
};

} // namespace

std::string text_of(Set set) {
    std::string text;
    for (const std::string &name : capabilities::names(set))
        text += (text.empty() ? "" : " ") + name;
    return text.empty() ? "none" : text;
}

Outcome run(const Caller &caller, const File &file) {
    return Exec(caller, file).run();
}

} // namespace berth::exec_rules
