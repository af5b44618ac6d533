#include "eval/system.h"

namespace llmpatch {

std::string_view system_name(System system) {
  switch (system) {
    case System::kBase:
      return "base";
    case System::kSystemPrompt:
      return "system-prompt";
    case System::kTeacher:
      return "teacher";
    case System::kPatched:
      break;
  }
  return "patch";
}

}  // namespace llmpatch
