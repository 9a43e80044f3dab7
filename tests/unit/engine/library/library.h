#pragma once

#include "library/library.pb.h"
#include "services/platform/engine/registry.h"

namespace sankofa::library {

struct BookDecider {
  using State = v1::Book;
  using EventTypes = engine::EventTypes<v1::Bought, v1::CopyTaken, v1::CopyReturned>;
  static engine::Decision Decide(const State&, const v1::BuyRequest& request,
                                 const engine::Context&) {
    v1::Bought event;
    event.set_copies(request.copies());
    return engine::Emit(event);
  }
  static void Apply(State& state, const v1::Bought& event) {
    state.set_copies(state.copies() + event.copies());
  }
  static void Apply(State& state, const v1::CopyTaken&) { state.set_copies(state.copies() - 1); }
  static void Apply(State& state, const v1::CopyReturned&) { state.set_copies(state.copies() + 1); }
};

struct LoanDecider {
  using State = v1::Loan;
  using EventTypes = engine::EventTypes<v1::Lent, v1::Renewed, v1::GivenBack, v1::ReaderForgotten>;
  static engine::Decision Decide(const State&, const v1::LendRequest& request,
                                 const engine::Context& context) {
    if (context.Related<v1::Book>(request.book_id()).copies() < 1) {
      return status::Refuse(v1::REASON_NO_COPY_LEFT);
    }
    v1::Lent event;
    event.set_loan_id(context.NewId());
    event.set_reader_id(request.reader_id());
    event.set_book_id(request.book_id());
    event.set_reader_name(request.reader_name());
    return engine::Emit(event).AddTo<v1::Book>(request.book_id(), v1::CopyTaken());
  }
  static engine::Decision Decide(const State& loan, const v1::RenewRequest& request,
                                 const engine::Context&) {
    if (loan.renewals() == 2) return status::Refuse(v1::REASON_RENEWALS_EXHAUSTED);
    v1::Renewed event;
    event.set_reader_id(loan.reader_id());
    event.set_remark(request.remark());
    return engine::Emit(event);
  }
  static engine::Decision Decide(const State& loan, const v1::GiveBackRequest&,
                                 const engine::Context&) {
    return engine::Emit(v1::GivenBack()).AddTo<v1::Book>(loan.book_id(), v1::CopyReturned());
  }
  static engine::Decision Decide(const State& loan, const v1::ForgetReaderRequest&,
                                 const engine::Context&) {
    v1::ReaderForgotten event;
    event.set_reader_id(loan.reader_id());
    return engine::Emit(event);
  }
  static void Apply(State& state, const v1::Lent& event) {
    state.set_id(event.loan_id());
    state.set_reader_id(event.reader_id());
    state.set_book_id(event.book_id());
    state.set_reader_name(event.reader_name());
  }
  static void Apply(State& state, const v1::Renewed& event) {
    state.set_renewals(state.renewals() + 1);
    if (!event.remark().empty()) state.add_remarks(event.remark());
  }
  static void Apply(State& state, const v1::GivenBack&) { state.clear_book_id(); }
  static void Apply(State& state, const v1::ReaderForgotten&) {
    state.clear_reader_name();
    state.clear_remarks();
  }
};

inline void Register(engine::Registry& registry) {
  using engine::Names;
  using engine::Target;
  registry.Command<BookDecider, v1::BuyRequest>(
      {.target = Target::kEither, .id = [](const auto& request) { return request.book_id(); }});
  registry.Command<LoanDecider, v1::LendRequest>(
      {.target = Target::kNew, .names = [](const auto& request, const auto&, Names& names) {
         names.Add<v1::Book>(request.book_id());
       }});
  registry.Command<LoanDecider, v1::RenewRequest>(
      {.id = [](const auto& request) { return request.loan_id(); }});
  registry.Command<LoanDecider, v1::GiveBackRequest>(
      {.id = [](const auto& request) { return request.loan_id(); },
       .names = [](const auto&, const auto& loan,
                   Names& names) { names.Add<v1::Book>(loan.book_id()); }});
  registry.Command<LoanDecider, v1::ForgetReaderRequest>(
      {.id = [](const auto& request) { return request.loan_id(); }});
}

}  // namespace sankofa::library
