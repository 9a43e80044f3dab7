#pragma once

#include <functional>
#include <map>
#include <string>
#include <type_traits>
#include <utility>

#include "google/protobuf/message.h"
#include "google/protobuf/repeated_field.h"
#include "sankofa/monitoring/v1/case_view.pb.h"
#include "services/platform/engine/reactions.h"

// Inside of view.cc: what each event type does to a view. Each service's events are listed in a file of their own.
namespace sankofa::monitoring {

// The partner whose fact the event repeats (option origin_node); empty for a fact of the node that tells it.
[[nodiscard]] std::string OriginOf(const google::protobuf::Message& event);

class Folds {
 public:
  // The texts stand in the timeline; "{}" is replaced by what `fold` returns, where it returns something. No text and
  // nothing that `fold` writes may tell of a person.
  template <class Event, class Function>
  void On(std::string en, std::string fr, Function fold) {
    entries_[Event::descriptor()->full_name()] = {
        std::move(en), std::move(fr),
        [fold = std::move(fold)](v1::CaseView& view, const std::string& payload, Said& said) {
          Event event;
          if (!event.ParseFromString(payload)) return false;
          said.source_node = OriginOf(event);
          if constexpr (std::is_void_v<
                            std::invoke_result_t<Function, v1::CaseView&, const Event&>>) {
            fold(view, std::as_const(event));
          } else {
            said.detail = fold(view, std::as_const(event));
          }
          return true;
        }};
  }

  // What the timeline says of an event beside its text.
  struct Said {
    std::string detail;
    std::string source_node;
  };
  struct Entry {
    std::string text_en;
    std::string text_fr;
    // False where the payload can't be read.
    std::function<bool(v1::CaseView&, const std::string& payload, Said& said)> fold;
  };
  [[nodiscard]] const Entry* Find(const std::string& event_type) const {
    const auto found = entries_.find(event_type);
    return found == entries_.end() ? nullptr : &found->second;
  }

 private:
  std::map<std::string, Entry> entries_;
};

void AddRegistrationFolds(Folds& folds);
void AddValidationFolds(Folds& folds);
void AddFundingFolds(Folds& folds);
void AddMonitoringFolds(Folds& folds);

// The element of a list that is kept sorted by `key`, made where there is none: the caller sets its key.
template <class Element, class Key, class KeyOf>
Element& Slot(google::protobuf::RepeatedPtrField<Element>& list, const Key& key, KeyOf key_of) {
  int at = list.size();
  while (at > 0 && key < key_of(list[at - 1])) --at;
  if (at > 0 && key_of(list[at - 1]) == key) return list[at - 1];
  list.Add();
  for (int i = list.size() - 1; i > at; --i) list.SwapElements(i, i - 1);
  return list[at];
}

}  // namespace sankofa::monitoring
