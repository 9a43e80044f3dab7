#include <sodium.h>

#include <map>
#include <shared_mutex>

#include "absl/strings/str_cat.h"
#include "sankofa/common/v1/options.pb.h"
#include "sankofa/common/v1/sealed.pb.h"
#include "services/platform/crypto/vault.h"
#include "services/platform/status/check.h"

// How a message is sealed: its personal fields are moved into a second, otherwise empty message of the same type,
// which is serialised, encrypted and put into the Sealed field. Unsealing merges it back. Which fields move is decided
// once per message type and kept.
namespace sankofa::crypto {
namespace {

using common::v1::Sealed;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

bool IsPersonal(const FieldDescriptor& field) {
  const auto visibility = field.options().GetExtension(common::v1::visibility);
  return visibility == common::v1::VISIBILITY_PERSONAL ||
         visibility == common::v1::VISIBILITY_SENSITIVE;
}

// What matters of a message type.
struct Plan {
  const FieldDescriptor* subject = nullptr;
  const FieldDescriptor* sealed = nullptr;
  std::vector<const FieldDescriptor*> personal;  // moved as a whole
  std::vector<const FieldDescriptor*> inside;    // messages that have personal fields inside
  bool any = false;
};

bool IsMessage(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
}

class Plans {
 public:
  const Plan& Of(const Descriptor& type) {
    {
      const std::shared_lock lock(mutex_);
      const auto found = plans_.find(&type);
      if (found != plans_.end()) return *found->second;
    }
    const std::unique_lock lock(mutex_);
    return Build(type);
  }

 private:
  // A type that holds itself is entered before its fields are looked at: the inner one then counts as without personal
  // fields, which CheckSealable refuses if it is not so.
  const Plan& Build(const Descriptor& type) {
    const auto found = plans_.find(&type);
    if (found != plans_.end()) return *found->second;
    Plan& plan = *plans_.emplace(&type, std::make_unique<Plan>()).first->second;
    for (int i = 0; i < type.field_count(); ++i) {
      const FieldDescriptor& field = *type.field(i);
      if (field.options().GetExtension(common::v1::subject)) plan.subject = &field;
      if (IsMessage(field) && field.message_type() == Sealed::descriptor()) {
        plan.sealed = &field;
      } else if (IsPersonal(field)) {
        plan.personal.push_back(&field);
      } else if (IsMessage(field) && Build(*field.message_type()).any) {
        plan.inside.push_back(&field);
      }
    }
    plan.any = !plan.personal.empty() || !plan.inside.empty();
    return plan;
  }

  std::shared_mutex mutex_;
  std::map<const Descriptor*, std::unique_ptr<Plan>> plans_;
};

const Plan& PlanOf(const Descriptor& type) {
  static Plans plans;
  return plans.Of(type);
}

// Moves the personal fields of `from` into `to`, an empty message of the same type. True where anything moved.
bool MovePersonal(Message& from, Message& to) {
  const Plan& plan = PlanOf(*from.GetDescriptor());
  const auto* reflection = from.GetReflection();
  std::vector<const FieldDescriptor*> present;
  for (const FieldDescriptor* field : plan.personal) {
    const bool set = field->is_repeated() ? reflection->FieldSize(from, field) > 0
                                          : reflection->HasField(from, field);
    if (set) present.push_back(field);
  }
  if (!present.empty()) reflection->SwapFields(&from, &to, present);
  bool moved = !present.empty();
  for (const FieldDescriptor* field : plan.inside) {
    if (field->is_repeated() || !reflection->HasField(from, field)) continue;
    Message* inner = reflection->MutableMessage(&from, field);
    Message* target = reflection->MutableMessage(&to, field);
    if (MovePersonal(*inner, *target)) {
      moved = true;
    } else {
      reflection->ClearField(&to, field);
    }
  }
  return moved;
}

std::string AdditionalData(const Message& message, const std::string& subject_id) {
  std::string data = message.GetDescriptor()->full_name();
  data.push_back('\0');
  data.append(subject_id);
  return data;
}

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

bool HasPersonalFields(const Descriptor& type) { return PlanOf(type).any; }

std::string SubjectOf(const Message& message) {
  const Plan& plan = PlanOf(*message.GetDescriptor());
  if (plan.subject == nullptr) return {};
  return message.GetReflection()->GetString(message, plan.subject);
}

absl::Status Seal(Message& message, const DataKey& key) {
  const Plan& plan = PlanOf(*message.GetDescriptor());
  if (!plan.any) return absl::OkStatus();
  const std::unique_ptr<Message> personal(message.New());
  if (!MovePersonal(message, *personal)) return absl::OkStatus();
  status::Check(plan.sealed != nullptr && plan.subject != nullptr,
                message.GetDescriptor()->full_name() + " has personal fields but can't be sealed");

  const std::string subject_id = SubjectOf(message);
  status::Check(!subject_id.empty(),
                message.GetDescriptor()->full_name() + " is sealed without a subject");
  std::string plain;
  status::Check(personal->SerializeToString(&plain), "a message can't be serialised");
  const std::string additional = AdditionalData(message, subject_id);
  std::string nonce(crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, '\0');
  randombytes_buf(nonce.data(), nonce.size());
  std::string cipher(plain.size() + crypto_aead_xchacha20poly1305_ietf_ABYTES, '\0');
  unsigned long long length = 0;  // NOLINT(google-runtime-int): libsodium's type
  crypto_aead_xchacha20poly1305_ietf_encrypt(
      reinterpret_cast<unsigned char*>(cipher.data()), &length, Bytes(plain), plain.size(),
      Bytes(additional), additional.size(), nullptr, Bytes(nonce), Bytes(key.bytes()));
  sodium_memzero(plain.data(), plain.size());

  auto& sealed =
      static_cast<Sealed&>(*message.GetReflection()->MutableMessage(&message, plan.sealed));
  sealed.set_subject_id(subject_id);
  sealed.set_nonce(std::move(nonce));
  sealed.set_ciphertext(std::move(cipher));
  return absl::OkStatus();
}

absl::Status Unseal(Message& message, const DataKey& key) {
  const Plan& plan = PlanOf(*message.GetDescriptor());
  const auto* reflection = message.GetReflection();
  if (plan.sealed == nullptr || !reflection->HasField(message, plan.sealed)) {
    return absl::OkStatus();
  }
  const auto& sealed = static_cast<const Sealed&>(reflection->GetMessage(message, plan.sealed));
  const std::string& cipher = sealed.ciphertext();
  if (sealed.nonce().size() != crypto_aead_xchacha20poly1305_ietf_NPUBBYTES ||
      cipher.size() < crypto_aead_xchacha20poly1305_ietf_ABYTES) {
    return absl::FailedPreconditionError("a sealed part is malformed");
  }
  const std::string additional = AdditionalData(message, sealed.subject_id());
  std::string plain(cipher.size() - crypto_aead_xchacha20poly1305_ietf_ABYTES, '\0');
  unsigned long long length = 0;  // NOLINT(google-runtime-int): libsodium's type
  const int failed = crypto_aead_xchacha20poly1305_ietf_decrypt(
      reinterpret_cast<unsigned char*>(plain.data()), &length, nullptr, Bytes(cipher),
      cipher.size(), Bytes(additional), additional.size(), Bytes(sealed.nonce()),
      Bytes(key.bytes()));
  if (failed != 0) return absl::FailedPreconditionError("a sealed part does not open with the key");
  reflection->ClearField(&message, plan.sealed);
  const bool merged = message.MergeFromString(plain);
  sodium_memzero(plain.data(), plain.size());
  if (!merged) return absl::FailedPreconditionError("a sealed part can't be parsed");
  return absl::OkStatus();
}

void Redact(Message& message) {
  const Plan& plan = PlanOf(*message.GetDescriptor());
  const auto* reflection = message.GetReflection();
  for (const FieldDescriptor* field : plan.personal) reflection->ClearField(&message, field);
  if (plan.sealed != nullptr) reflection->ClearField(&message, plan.sealed);
  for (const FieldDescriptor* field : plan.inside) {
    if (field->is_repeated()) {
      for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
        Redact(*reflection->MutableRepeatedMessage(&message, field, i));
      }
    } else if (reflection->HasField(message, field)) {
      Redact(*reflection->MutableMessage(&message, field));
    }
  }
}

absl::Status CheckSealable(const Descriptor& type) {
  const Plan& plan = PlanOf(type);
  if (!plan.any) return absl::OkStatus();
  if (plan.subject == nullptr || plan.sealed == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat(
        type.full_name(), " has personal fields, but no `subject` or no field of type Sealed"));
  }
  if (plan.subject->cpp_type() != FieldDescriptor::CPPTYPE_STRING || plan.subject->is_repeated() ||
      IsPersonal(*plan.subject)) {
    return absl::FailedPreconditionError(
        absl::StrCat(plan.subject->full_name(), " must be a plain string to be a subject"));
  }
  // Inside: singular messages only, since a list of half-sealed messages can't be merged back by position.
  std::vector<const Descriptor*> pending = {&type};
  std::map<const Descriptor*, bool> seen;
  while (!pending.empty()) {
    const Descriptor& current = *pending.back();
    pending.pop_back();
    if (!seen.emplace(&current, true).second) continue;
    for (const FieldDescriptor* field : PlanOf(current).inside) {
      if (field->is_repeated()) {
        return absl::FailedPreconditionError(absl::StrCat(
            field->full_name(), " is a list with personal fields inside: mark the list itself"));
      }
      pending.push_back(field->message_type());
    }
  }
  return absl::OkStatus();
}

}  // namespace sankofa::crypto
