// An operator's update: reads a channel, believes what holds, obeys what is revoked, and installs
// the newest release of each patch that is followed.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "distribution/channel_source.h"
#include "distribution/store.h"

namespace llmpatch {

struct UpdateOptions {
  InstallOptions install;  // whose signatures are believed; activate: what was installed, too
  RegistryOptions server;  // how channels are reached; credentials are for those in a registry
  ProgressFn progress;     // bytes of the patch that is fetched
};

// What one update did.
struct UpdateReport {
  std::string place;         // the address that answered
  std::int64_t version = 0;  // of the targets
  std::string expires;       // when the first of the channel's files expires
  std::vector<RevokedPatch> revoked;
  std::vector<Change> installed;
  std::vector<Change> renewed;     // the same contents, signed anew or no longer damaged
  std::vector<std::string> notes;  // what was left undone on purpose, a line each
  std::vector<Error> errors;       // of single targets; the others were done all the same
};

// Updates one subscription. Its addresses are asked in order, until one gives all files of the
// channel in a state that holds; what none of them gives is the error of the first. A patch is
// fetched with the length and digest that the channel says, must be signed by somebody that
// options.install.trust and the store's policy believe, and be in itself what the channel says of
// it. A name that somebody has deactivated stays so.
//
// kUntrusted: a file that does not hold (signatures, versions, expiry); kLimit; kNotFound; kDenied;
// kIo. Nothing of the store has changed then but that an update was begun, and that the files
// before the one that failed are believed where they hold: the next address, and the next update,
// go on from these.
Result<UpdateReport> update_channel(Store& store, Subscription subscription,
                                    const UpdateOptions& options);

}  // namespace llmpatch
