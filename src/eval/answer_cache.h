// Keeps the answers of systems without a patch on disk, by a digest of everything they depend on.
// Internal to eval/.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "eval/evaluate.h"

namespace llmpatch {

// One file of JSON lines {"prompt": digest, "tokens": [...], "text", "ended"} in prompt order,
// named by the digest of its key. Not thread-safe; two processes may use one directory (files are
// replaced whole).
class AnswerCache {
 public:
  // `directory` is made on the first save; empty: nothing is kept. `key` is any text that names all
  // the answers depend on. Token ids from `n_vocab` on are damage.
  AnswerCache(const std::filesystem::path& directory, const std::string& key, std::size_t n_vocab);

  // The answers kept so far, without text and unjudged; each belongs to the prompt of that place. A
  // missing file gives none, and so does a damaged one: it is measured anew and replaced.
  std::vector<Answer> load(const std::vector<std::string>& prompt_digests) const;
  // Replaces the file. kIo.
  Status save(const std::vector<Answer>& answers,
              const std::vector<std::string>& prompt_digests) const;

 private:
  std::filesystem::path file_;  // empty: nothing is kept
  std::size_t n_vocab_ = 0;
};

}  // namespace llmpatch
