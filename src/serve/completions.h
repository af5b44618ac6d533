// The endpoints that generate text: requests understood, admitted, and given to the engine.
// Internal to serve/.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string>

#include "runtime/serving_engine.h"
#include "serve/answer.h"
#include "serve/answer_audit.h"
#include "serve/chat_request.h"
#include "serve/completion_request.h"
#include "serve/patches.h"
#include "serve/queue_shares.h"

namespace llmpatch {

// What requests may ask for; may change while the server runs.
struct AnswerRules {
  int max_tokens = 0;                 // of one answer; 0: what the context leaves
  std::chrono::seconds timeout{600};  // of one request
};

struct CompletionsOptions {
  std::string model;  // the base model's id
  std::string fingerprint;
  AnswerRules rules;
  std::size_t max_answers = 288;  // that run and wait in the engine
};

// Thread-safe. Everything it is given must outlive it, and every answer it began.
class Completions {
 public:
  Completions(ServingEngine& engine, Patches& patches, Workers& finishers, Metrics& metrics,
              AnswerAudit& audit, CompletionsOptions options);

  // For the requests that come from now on.
  void set_rules(const AnswerRules& rules);

  // Each answers the call, now or when the engine has. Takes the time that reading and tokenising
  // the request takes.
  void chat(const std::shared_ptr<ApiCall>& call);
  void complete(const std::shared_ptr<ApiCall>& call);

 private:
  AnswerRules rules() const;
  RequestLimits limits() const;
  // The stack of a request, and whether its caller may run it; answers the call where not.
  std::optional<ResolvedStack> admit(ApiCall& call, const AnswerRequest& request) const;
  ServingRequest base_request(const ApiCall& call, const AnswerRequest& request,
                              const Stack& stack) const;
  bool fits(ApiCall& call, const Tokens& prompt, const ResolvedStack& stack,
            const char* field) const;
  // `prompts` is what each group of `n` choices answers, for the audit.
  AnswerFrame frame(const ApiCall& call, const AnswerRequest& request, const ResolvedStack& stack,
                    std::vector<std::string> prompts) const;
  void run(const std::shared_ptr<ApiCall>& call, const AnswerRequest& request,
           const std::vector<Tokens>& prompts, ServingRequest base,
           std::unique_ptr<AnswerShape> shape, AnswerFrame frame);

  ServingEngine& engine_;
  Patches& patches_;
  Workers& finishers_;
  Metrics& metrics_;
  AnswerAudit& audit_;
  const CompletionsOptions options_;  // but for its rules
  mutable std::mutex mutex_;
  AnswerRules rules_;
  const std::shared_ptr<QueueShares> shares_;
};

}  // namespace llmpatch
