// The tables of a store's database.
#pragma once

#include "base/result.h"
#include "distribution/database.h"

namespace llmpatch {

// The version of the tables this program makes and reads.
inline constexpr int kStoreSchema = 3;

// Makes the tables in an empty database or adds those that an older version had not, in one
// transaction; or checks that they are those of this version. kUnsupported: made by a newer
// llmpatch; kCorrupt: another program's database. `where` names the file in messages. Callers hold
// the store's lock exclusively unless has_schema.
Status ensure_schema(Database& database, const std::string& where);

// Whether ensure_schema would find something to check, and nothing to make. Errors of Database.
Result<bool> has_schema(Database& database);

}  // namespace llmpatch
