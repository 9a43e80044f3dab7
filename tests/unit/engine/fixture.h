#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "library/library.h"
#include "services/platform/engine/engine.h"
#include "services/platform/engine/memory_store.h"

namespace sankofa::engine {

namespace lib = ::sankofa::library::v1;

// The library over a store in memory.
class LibraryTest : public ::testing::Test {
 protected:
  LibraryTest() {
    library::Register(registry_);
    session_ = *store_.Open(absl::InfiniteFuture());
  }

  template <class Request>
  CommandCall Call(Request request, std::string request_id) {
    request.set_request_id(std::move(request_id));
    CommandCall call;
    call.request = std::make_shared<Request>(std::move(request));
    call.actor = {
        .subject = "reader-desk", .organisation = "library", .roles = {}, .system = "desk"};
    call.now = absl::FromUnixSeconds(1'498'780'800);
    return call;
  }
  CommandCall Buy(std::string request_id, std::string book, int copies) {
    lib::BuyRequest request;
    request.set_book_id(std::move(book));
    request.set_copies(copies);
    return Call(request, std::move(request_id));
  }
  CommandCall Lend(std::string request_id, std::string reader, std::string book,
                   std::string name = "Ama Mensah-Test") {
    lib::LendRequest request;
    request.set_reader_id(std::move(reader));
    request.set_book_id(std::move(book));
    request.set_reader_name(std::move(name));
    return Call(request, std::move(request_id));
  }
  CommandCall Renew(std::string request_id, std::string loan, std::string remark = "",
                    std::string etag = "") {
    lib::RenewRequest request;
    request.set_loan_id(std::move(loan));
    request.set_remark(std::move(remark));
    request.set_etag(std::move(etag));
    return Call(request, std::move(request_id));
  }
  CommandCall GiveBack(std::string request_id, std::string loan) {
    lib::GiveBackRequest request;
    request.set_loan_id(std::move(loan));
    return Call(request, std::move(request_id));
  }
  CommandCall Forget(std::string request_id, std::string loan) {
    lib::ForgetReaderRequest request;
    request.set_loan_id(std::move(loan));
    return Call(request, std::move(request_id));
  }

  std::vector<Outcome> Run(std::vector<CommandCall> calls) {
    return engine_.Execute(*session_, calls);
  }
  std::string ReasonOf(const Outcome& outcome) { return status::ReasonOf(outcome.status()); }

  template <class State>
  State Get(const std::string& id, bool personal = false) {
    auto read = engine_.Read(*session_, KeyOf<State>(id), personal);
    EXPECT_TRUE(read.ok()) << read.status();
    return read.ok() ? static_cast<State&>(**read) : State();
  }

  // All bytes that the store keeps.
  std::string EverythingStored() {
    std::string all;
    for (const auto& row : store_.journal()) all += row.payload + row.partition_key;
    for (const auto& [_, stream] : store_.streams()) all += stream.state;
    for (const auto& [_, answer] : store_.answers()) all += answer.bytes + answer.fingerprint;
    return all;
  }

  Registry registry_;
  std::unique_ptr<crypto::Vault> vault_ = *crypto::Vault::FromBytes(std::string(32, 'k'));
  MemoryStore store_;
  Engine engine_{{.node = "cm", .country = "CM", .service = "library"}, registry_, *vault_};
  std::unique_ptr<StoreSession> session_;
};

}  // namespace sankofa::engine
