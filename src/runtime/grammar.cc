#include "runtime/grammar.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "runtime/grammar_check.h"
#include "runtime/token_texts.h"

namespace llmpatch {
namespace {

// What one call may take. An ordinary grammar takes a few steps for each byte of a token, and where
// all tokens are looked at, about a dozen for each token of the vocabulary.
constexpr std::size_t kWork = 1000000;
constexpr std::size_t kWorkPerToken = 40;
// Of nodes and edges that an answer may hold on to: some megabytes.
constexpr std::size_t kMaxGraph = 100000;
constexpr std::size_t kWorthClearing = 1000;

Error too_ambiguous() {
  return make_error(ErrorKind::kUnsupported, "runtime",
                    "grammar: the answer so far can be read in too many ways to go on",
                    "tell alternatives apart at their beginning");
}

std::string named_text(const Model& model, Token token) {
  return model.text({&token, 1}, /*special=*/true);
}

}  // namespace

Grammar::Grammar(const Model& model, const GrammarRules& rules, std::vector<std::string> triggers)
    : model_(model),
      max_work_(std::max(kWork, kWorkPerToken * model.n_vocab())),
      stacks_(rules),
      triggers_(std::move(triggers)),
      waits_(!triggers_.empty()) {}

Result<std::unique_ptr<Grammar>> Grammar::create(const Model& model, const std::string& text,
                                                 std::vector<std::string> triggers) {
  LLMPATCH_ASSIGN(const GrammarRules rules, parse_grammar(text));
  LLMPATCH_TRY(check_grammar(rules));
  auto grammar = std::unique_ptr<Grammar>(new Grammar(model, rules, std::move(triggers)));
  grammar->stacks_.allow_work(grammar->max_work_);
  grammar->place_.front = grammar->stacks_.start();
  if (grammar->stacks_.is_exhausted()) return too_ambiguous();
  (void)model.token_texts();  // made now rather than between two tokens
  return grammar;
}

// --- Text ---------------------------------------------------------------------------------------

// Whether the byte may be next; `to` is then the place after it.
bool Grammar::read(const Place& from, unsigned char byte, Place& to) {
  if (from.missing > 0) {
    if ((byte & 0xC0) != 0x80) return false;
    to.code = from.code << 6 | (byte & 0x3Fu);
    to.missing = from.missing - 1;
  } else {
    if (byte >= 0xF8 || (byte >= 0x80 && byte < 0xC0)) return false;
    to.missing = byte >= 0xF0 ? 3 : byte >= 0xE0 ? 2 : byte >= 0xC0 ? 1 : 0;
    to.code = to.missing == 0 ? byte : byte & (0x3Fu >> to.missing);
  }
  if (to.missing == 0) {
    stacks_.advance(from.front, to.code, to.front);
    return !to.front.empty();
  }
  if (to.missing == 1 && to.code < 2) return false;  // longer than it has to be
  const int bits = 6 * to.missing;
  const std::uint32_t last = to.code << bits | ((1u << bits) - 1);
  const std::uint32_t least = to.missing == 3 ? 0x10000 : to.missing == 2 ? 0x800 : 0;
  to.front = from.front;
  return stacks_.may_take(from.front, std::max(to.code << bits, least), last);
}

// The place after a token of this text. Its front is empty where the token is not allowed.
Grammar::Place Grammar::after(Token token, std::string_view text) {
  if (text.empty() || text.front() == '\0') return {};
  Place now = place_, next;
  for (const char byte : text) {
    if (!read(now, static_cast<unsigned char>(byte), next)) next = {};
    std::swap(now, next);
    if (now.front.empty()) break;
  }
  if (place_.missing == 0 && now.missing == 0 && stacks_.wants_token(place_.front)) {
    GrammarStacks::Front whole;
    stacks_.advance_token(place_.front, static_cast<std::uint32_t>(token), whole);
    now.front.insert(now.front.end(), whole.begin(), whole.end());
  }
  return now;
}

// --- Tokens -------------------------------------------------------------------------------------

bool Grammar::allows(Token token) {
  if (!holds()) return true;
  if (model_.is_end(token)) return place_.missing == 0 && stacks_.may_end(place_.front);
  stacks_.allow_work(max_work_);
  const GrammarStacks::Mark mark = stacks_.mark();
  const Place place = after(token, named_text(model_, token));
  stacks_.return_to(mark);
  return !stacks_.is_exhausted() && !place.front.empty();
}

// The texts in their order: what two of them begin with alike is read once, and those that begin as
// one that is not allowed are passed over.
void Grammar::read_all(std::vector<bool>& allowed) {
  struct Read {
    Place place;
    GrammarStacks::Mark mark;
  };
  std::vector<Read> read_bytes{{place_, stacks_.mark()}};         // after none, one, two bytes...
  std::size_t depth = 0;                                          // bytes that are read
  std::size_t refused = std::numeric_limits<std::size_t>::max();  // a beginning so long is
  for (const TokenTexts::Entry& entry : model_.token_texts().entries()) {
    if (entry.shared >= refused) continue;
    refused = std::numeric_limits<std::size_t>::max();
    depth = std::min(depth, entry.shared);
    while (depth < entry.text.size()) {
      if (read_bytes.size() == depth + 1) read_bytes.emplace_back();
      stacks_.return_to(read_bytes[depth].mark);
      const auto byte = static_cast<unsigned char>(entry.text[depth]);
      if (read(read_bytes[depth].place, byte, read_bytes[depth + 1].place)) {
        read_bytes[++depth].mark = stacks_.mark();
      } else {
        refused = depth + 1;
        break;
      }
    }
    if (stacks_.is_exhausted()) break;
    if (depth == entry.text.size()) allowed[static_cast<std::size_t>(entry.token)] = true;
  }
  stacks_.return_to(read_bytes.front().mark);
}

Status Grammar::mask(std::span<float> logits) {
  if (!holds()) return {};
  std::vector<bool> allowed(logits.size());
  stacks_.allow_work(max_work_);
  read_all(allowed);
  if (place_.missing == 0 && stacks_.wants_token(place_.front)) {
    const GrammarStacks::Mark mark = stacks_.mark();
    GrammarStacks::Front whole;
    for (const TokenTexts::Entry& entry : model_.token_texts().entries()) {
      stacks_.advance_token(place_.front, static_cast<std::uint32_t>(entry.token), whole);
      if (!whole.empty()) allowed[static_cast<std::size_t>(entry.token)] = true;
      stacks_.return_to(mark);
    }
  }
  if (stacks_.is_exhausted()) return too_ambiguous();
  const bool may_end = place_.missing == 0 && stacks_.may_end(place_.front);
  for (std::size_t id = 0; id < logits.size(); ++id) {
    const bool ends = may_end && model_.is_end(static_cast<Token>(id));
    if (!allowed[id] && !ends) logits[id] = -std::numeric_limits<float>::infinity();
  }
  return {};
}

Status Grammar::go_on(Token token, std::string_view text) {
  Place next = after(token, text);
  if (stacks_.is_exhausted()) return too_ambiguous();
  if (next.front.empty()) {
    return make_error(
        ErrorKind::kInternal, "runtime",
        "grammar: found token " + std::to_string(token) + ", which it does not allow");
  }
  place_ = std::move(next);
  if (stacks_.size() > 2 * kept_ + kWorthClearing) {
    stacks_.keep_only(place_.front);
    kept_ = stacks_.size();
  }
  return kept_ > kMaxGraph ? Status(too_ambiguous()) : Status();
}

Status Grammar::accept(Token token) {
  if (is_free_) return {};
  stacks_.allow_work(max_work_);
  return waits_ ? look_for_trigger(token) : go_on(token, named_text(model_, token));
}

// --- Triggers -----------------------------------------------------------------------------------

Status Grammar::look_for_trigger(Token token) {
  const std::string text = named_text(model_, token);
  held_.emplace_back(token, text.size());
  held_text_ += text;
  for (const std::string& trigger : triggers_) {
    const std::size_t start = held_text_.find(trigger);
    if (start != std::string::npos) return begin(start);
  }
  std::size_t kept = 0;  // bytes at the end that may begin a trigger
  for (const std::string& trigger : triggers_) {
    for (std::size_t n = std::min(trigger.size() - 1, held_text_.size()); n > kept; --n) {
      if (std::string_view(held_text_).ends_with(std::string_view(trigger).substr(0, n))) kept = n;
    }
  }
  while (!held_.empty() && held_text_.size() - held_.front().second >= kept) {
    held_text_.erase(0, held_.front().second);
    held_.pop_front();
  }
  return {};
}

// Holds the tokens from this byte of the text on.
Status Grammar::begin(std::size_t start) {
  waits_ = false;
  const std::string text = std::exchange(held_text_, {});
  std::size_t end = 0;
  for (const auto& [token, bytes] : std::exchange(held_, {})) {
    const std::size_t from = std::max(end, start);
    end += bytes;
    if (end <= from) continue;
    const Status gone_on = go_on(token, std::string_view(text).substr(from, end - from));
    if (gone_on.ok()) continue;
    is_free_ = gone_on.error().kind == ErrorKind::kInternal;
    return is_free_ ? Status() : gone_on;
  }
  return {};
}

}  // namespace llmpatch
