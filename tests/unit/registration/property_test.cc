#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "sankofa/registration/v1/claim.pb.h"
#include "services/platform/time/time.h"
#include "services/registration/case/case.h"
#include "services/registration/person/age.h"
#include "services/registration/person/person.h"
#include "tests/unit/registration/fixture.h"

// Random sequences of commands on a few persons who look alike, their cases and a small centre. Whatever happens, and
// whatever is refused, some things must never come to be.
namespace sankofa::registration {
namespace {

constexpr int kPersons = 4;

// One step: what is done, to whom, and a number to vary it.
struct Step {
  int kind;
  int person;
  int variant;
};

std::ostream& operator<<(std::ostream& out, const Step& step) {
  return out << "{" << step.kind << ", " << step.person << ", " << step.variant << "}";
}

class Walk {
 public:
  Walk() {
    v1::OpenCentreRequest open;
    open.set_centre("centre");
    open.set_places(3);
    node_.Must(open);
    for (int i = 0; i < kPersons; ++i) persons_.push_back(Register(i));
  }

  void Take(const Step& step) {
    const std::string& person_id = persons_[static_cast<size_t>(step.person)];
    const v1::Person& person = node_.person(person_id);
    const std::string case_id = !person.open_case_id().empty() ? person.open_case_id()
                                : person.case_ids().empty()
                                    ? std::string()
                                    : person.case_ids(step.variant % person.case_ids_size());
    before_ = Cases();
    const bool on_case = step.kind >= 7 && step.kind <= 16 && (step.kind < 11 || step.kind > 13);
    if (on_case && case_id.empty()) return;
    switch (step.kind) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4: Advance(person_id, case_id, step); break;
      case 5: now_ += absl::Hours(24 * (1 + step.variant)); break;
      case 6: OpenCase(person_id, step.variant % 2 == 1); break;
      case 7: Give(case_id, step.variant); break;
      case 8: WithdrawConsent(case_id, step.variant); break;
      case 9: Close(case_id, step.variant); break;
      case 10: Send(Reopening(case_id)); break;
      case 11: Update(person_id, step.variant); break;
      case 12: Resolve(person_id, step); break;
      case 13:
        if (step.variant == 7) Erase(person_id);
        break;
      case 14: CheckIn(case_id); break;
      case 15: CheckOut(case_id); break;
      case 16: ChangeHeader(case_id, step.variant); break;
      case 17: persons_[static_cast<size_t>(step.person)] = Register(step.variant); break;
      default: RunDeadlines();
    }
    Check();
  }

 private:
  static v1::PersonDetails Details(int variant) {
    // Two names, a shared document, and a child among them: matches are frequent.
    auto details = variant % 3 == 2 ? Child() : Adult(variant % 3 == 0 ? "Jean" : "Paul", "TEST");
    if (variant % 2 == 0) AddDocument(details, variant % 4 == 0 ? "AB-1" : "AB-2");
    return details;
  }

  template <class Request>
  bool Send(const Request& request) {
    return node_.Send(request, At(now_)).ok();
  }

  std::string Register(int variant) {
    const std::string id = node_.Register(Details(variant), now_);
    all_persons_.insert(id);
    return id;
  }

  void OpenCase(const std::string& person_id, bool retroactive) {
    if (!retroactive) {
      (void)node_.TryOpen(person_id, Header(), now_);
      return;
    }
    v1::RegisterRetroactiveCaseRequest request;
    request.set_person_id(person_id);
    *request.mutable_header() = Header();
    request.set_arrival_date("2017-06-01");
    Send(request);
  }

  // The step that the case waits for; refused or not.
  void Advance(const std::string& person_id, const std::string& case_id, const Step& step) {
    if (case_id.empty()) return OpenCase(person_id, step.variant % 4 == 3);
    const v1::Case& of = node_.of(case_id);
    switch (of.state()) {
      case v1::CASE_STATE_REGISTERED: {
        Give(case_id, step.variant);
        if (step.variant % 3 != 0) Send(BestInterests(case_id));
        Send(ForCase<v1::SubmitCaseRequest>(case_id));
        break;
      }
      case v1::CASE_STATE_SUBMITTED: {
        auto answer = ForCase<v1::AnswerRetroactiveCaseRequest>(case_id);
        answer.set_accepted(step.variant != 0);
        answer.set_reason(v1::REFUSAL_REASON_INCOMPLETE);
        auto refuse = ForCase<v1::RefuseCaseRequest>(case_id);
        refuse.set_reason(v1::REFUSAL_REASON_INCOMPLETE);
        if (of.retroactive()) {
          Send(answer);
        } else if (step.variant == 0) {
          Send(refuse);
        } else {
          Send(ForCase<v1::AcceptCaseRequest>(case_id));
        }
        break;
      }
      case v1::CASE_STATE_ACCEPTED: {
        auto arrival = ForCase<v1::ConfirmArrivalRequest>(case_id);
        arrival.set_arrival_date("2017-06-20");
        Send(arrival);
        break;
      }
      case v1::CASE_STATE_ARRIVED: Send(Assessment(case_id)); break;
      case v1::CASE_STATE_ASSESSED: Send(ForCase<v1::StartReintegrationRequest>(case_id)); break;
      case v1::CASE_STATE_REINTEGRATING: Close(case_id, 0); break;
      default: Send(Reopening(case_id));
    }
  }

  void Give(const std::string& case_id, int variant) {
    if (variant == 7) {
      auto request = ForCase<v1::OverrideConsentRequest>(case_id);
      request.set_purpose(v1::CONSENT_PURPOSE_REINTEGRATION);
      request.set_partner("ofii");
      request.set_until_date(time::FormatDay(time::DayOf(now_) + 30));
      request.set_reason("court");
      Send(request);
      return;
    }
    auto request = variant % 2 == 0 ? GuardianConsent(case_id) : Consent(case_id);
    if (variant == 5) request.set_partner("frontex");
    if (variant == 6) request.set_until_date(time::FormatDay(time::DayOf(now_)));
    Send(request);
  }

  void WithdrawConsent(const std::string& case_id, int variant) {
    const auto& consents = node_.of(case_id).consents();
    if (consents.empty()) return;
    auto request = ForCase<v1::WithdrawConsentRequest>(case_id);
    request.set_consent_id(consents[variant % consents.size()].consent_id());
    request.set_giver(v1::CONSENT_GIVER_PERSON);
    Send(request);
  }

  void Close(const std::string& case_id, int variant) {
    auto request = ForCase<v1::CloseCaseRequest>(case_id);
    request.set_reason(static_cast<v1::CloseReason>(1 + variant % 7));
    Send(request);
  }

  static v1::ReopenCaseRequest Reopening(const std::string& case_id) {
    auto request = ForCase<v1::ReopenCaseRequest>(case_id);
    request.set_reason("again");
    return request;
  }

  static v1::RecordBestInterestsRequest BestInterests(const std::string& case_id) {
    auto request = ForCase<v1::RecordBestInterestsRequest>(case_id);
    request.set_determined_date("2017-05-01");
    request.set_authority("judge");
    request.set_summary("text");
    return request;
  }

  void Update(const std::string& person_id, int variant) {
    auto request = ForPerson<v1::UpdatePersonRequest>(person_id);
    *request.mutable_details() = Details(variant);
    Send(request);
  }

  void Resolve(const std::string& person_id, const Step& step) {
    auto request = ForPerson<v1::ResolveDuplicateRequest>(person_id);
    request.set_other_person_id(persons_[static_cast<size_t>(step.variant % kPersons)]);
    request.set_verdict(step.variant < 4 ? v1::DUPLICATE_VERDICT_SAME_PERSON
                                         : v1::DUPLICATE_VERDICT_DIFFERENT_PERSONS);
    request.set_note("compared");
    Send(request);
  }

  void Erase(const std::string& person_id) {
    auto request = ForPerson<v1::ErasePersonRequest>(person_id);
    request.set_basis(v1::ERASURE_BASIS_ORDER);
    request.set_reason("order");
    Send(request);
  }

  void CheckIn(const std::string& case_id) {
    auto request = ForCase<v1::CheckInRequest>(case_id);
    request.set_centre("centre");
    Send(request);
  }

  void CheckOut(const std::string& case_id) {
    auto request = ForCase<v1::CheckOutRequest>(case_id);
    request.set_centre("centre");
    Send(request);
  }

  void ChangeHeader(const std::string& case_id, int variant) {
    auto request = ForCase<v1::UpdateCaseHeaderRequest>(case_id);
    *request.mutable_header() = Header();
    request.mutable_header()->set_programme("programme-" + std::to_string(variant));
    Send(request);
  }

  void RunDeadlines() {
    for (const v1::Case* of : node_.All<v1::Case>()) {
      const auto deadline = CaseDecider::NextDeadline(*of);
      if (!deadline || deadline->due > now_) continue;
      RC_ASSERT(Send(static_cast<const v1::ExpireRetroactiveCaseRequest&>(*deadline->command)));
    }
    // A suspicion against a record that is no longer in use leads to one against the record in use: more than a round.
    for (int round = 0; round < 20; ++round) {
      bool any = false;
      for (const std::string& id : all_persons_) {
        const auto deadline = PersonDecider::NextDeadline(node_.person(id));
        if (!deadline) continue;
        any = true;
        RC_ASSERT(Send(static_cast<const v1::TellDuplicatesRequest&>(*deadline->command)));
      }
      if (!any) return CheckSuspicionsAreMutual();
    }
    RC_FAIL("suspicions are passed on for ever");
  }

  std::map<std::string, v1::Case> Cases() const {
    std::map<std::string, v1::Case> cases;
    for (const v1::Case* of : node_.All<v1::Case>()) cases[of->id()] = *of;
    return cases;
  }

  void Check() {
    for (const v1::Case* of : node_.All<v1::Case>()) {
      CheckCase(*of);
      const auto found = before_.find(of->id());
      if (found != before_.end()) CheckStep(found->second, *of);
    }
    for (const std::string& id : all_persons_) CheckPerson(node_.person(id));
    CheckCentre();
  }

  void CheckCase(const v1::Case& of) {
    RC_ASSERT(!of.responsible_organisation().empty());
    RC_ASSERT(of.erased() == (node_.person(of.person_id()).state() == v1::PERSON_STATE_ERASED));
    if (of.erased()) {
      RC_ASSERT(of.state() == v1::CASE_STATE_CLOSED);
      RC_ASSERT(!of.has_assessment() && of.notes().empty());
    }
    const bool open = of.state() != v1::CASE_STATE_CLOSED;
    RC_ASSERT(open == (node_.person(of.person_id()).open_case_id() == of.id()));
    RC_ASSERT(open || of.centre().empty());
    if (of.state() >= v1::CASE_STATE_ARRIVED && open) RC_ASSERT(!of.arrival_date().empty());
  }

  // What one command may do to a case.
  void CheckStep(const v1::Case& was, const v1::Case& is) {
    using Move = std::pair<v1::CaseState, v1::CaseState>;
    static const std::set<Move> kMoves = {
        {v1::CASE_STATE_REGISTERED, v1::CASE_STATE_SUBMITTED},
        {v1::CASE_STATE_SUBMITTED, v1::CASE_STATE_ACCEPTED},
        {v1::CASE_STATE_SUBMITTED, v1::CASE_STATE_ARRIVED},
        {v1::CASE_STATE_ACCEPTED, v1::CASE_STATE_ARRIVED},
        {v1::CASE_STATE_ARRIVED, v1::CASE_STATE_ASSESSED},
        {v1::CASE_STATE_ASSESSED, v1::CASE_STATE_REINTEGRATING},
    };
    RC_ASSERT(was.responsible_organisation() == is.responsible_organisation());
    RC_ASSERT(was.reference() == is.reference());
    RC_ASSERT(was.person_id() == is.person_id());
    if (was.has_submitted_time()) {
      RC_ASSERT(was.header().SerializeAsString() == is.header().SerializeAsString());
    }
    if (was.state() == is.state()) return;
    if (is.state() == v1::CASE_STATE_SUBMITTED) CheckSubmitted(is);
    if (is.state() == v1::CASE_STATE_CLOSED) {
      RC_ASSERT(is.close_reason() != v1::CLOSE_REASON_UNSPECIFIED);
      RC_ASSERT(is.close_reason() != v1::CLOSE_REASON_COMPLETED ||
                was.state() == v1::CASE_STATE_REINTEGRATING);
      return;
    }
    if (was.state() == v1::CASE_STATE_CLOSED) {
      RC_ASSERT(is.state() == (was.closed_from() == v1::CASE_STATE_SUBMITTED
                                   ? v1::CASE_STATE_REGISTERED
                                   : was.closed_from()));
      return;
    }
    RC_ASSERT(kMoves.contains(Move(was.state(), is.state())));
    const bool by_host =
        is.state() == v1::CASE_STATE_ARRIVED && was.state() == v1::CASE_STATE_SUBMITTED;
    RC_ASSERT(!by_host || is.retroactive());
  }

  void CheckSubmitted(const v1::Case& of) {
    const std::string today = time::FormatDay(time::DayOf(now_));
    const bool child = IsChild(node_.person(of.person_id()), time::DayOf(now_));
    RC_ASSERT(std::any_of(of.consents().begin(), of.consents().end(), [&](const auto& consent) {
      return consent.partner() == of.header().partner() &&
             consent.purpose() == v1::CONSENT_PURPOSE_REINTEGRATION &&
             !consent.has_withdrawn_time() && consent.from_date() <= today &&
             today <= consent.until_date() &&
             (!child || consent.giver() == v1::CONSENT_GIVER_GUARDIAN);
    }));
    RC_ASSERT(!child || of.has_best_interests());
  }

  void CheckPerson(const v1::Person& person) {
    int open = 0;
    for (const v1::Case* of : node_.All<v1::Case>()) {
      open += of->person_id() == person.id() && of->state() != v1::CASE_STATE_CLOSED ? 1 : 0;
    }
    RC_ASSERT(open == (person.open_case_id().empty() ? 0 : 1));
    const auto& suspicions = person.suspicions();
    RC_ASSERT(person.duplicate_open() == std::any_of(suspicions.begin(), suspicions.end(), IsOpen));
    const bool active = person.state() == v1::PERSON_STATE_ACTIVE;
    if (!active) {
      RC_ASSERT(open == 0);
      RC_ASSERT(!person.duplicate_open());
    }
    if (person.state() == v1::PERSON_STATE_ERASED) {
      RC_ASSERT(!person.has_details() && !person.has_search_keys());
      RC_ASSERT(person.vulnerabilities().empty() && person.payout_accounts().empty());
    }
    CheckClaims(person, active);
  }

  // A record in use holds the claims that it lists, and nobody else's are left behind.
  void CheckClaims(const v1::Person& person, bool active) {
    std::set<std::string> listed;
    for (const auto& claim : person.search_keys().claims()) {
      RC_ASSERT(listed.insert(claim.hash()).second);
    }
    std::set<std::string> held;
    const auto collect = [&](const auto& claims) {
      for (const auto* claim : claims) {
        const auto& ids = claim->person_ids();
        if (std::find(ids.begin(), ids.end(), person.id()) != ids.end()) held.insert(claim->id());
      }
    };
    collect(node_.All<v1::DocumentClaim>());
    collect(node_.All<v1::IdentityClaim>());
    RC_ASSERT(held == listed);
    RC_ASSERT(active || held.empty());
  }

  void CheckSuspicionsAreMutual() {
    for (const std::string& id : all_persons_) {
      for (const auto& suspicion : node_.person(id).suspicions()) {
        if (!IsOpen(suspicion)) continue;
        const auto* other = FindSuspicion(node_.person(suspicion.other_person_id()), id);
        RC_ASSERT(other != nullptr && IsOpen(*other));
      }
    }
  }

  void CheckCentre() {
    const auto& centre = node_.Get<v1::Centre>("centre");
    int persons = 0;
    std::set<std::string> staying;
    for (const auto& stay : centre.stays()) {
      persons += stay.persons();
      RC_ASSERT(staying.insert(stay.case_id()).second);
    }
    RC_ASSERT(persons == centre.occupied());
    RC_ASSERT(centre.occupied() <= centre.places());
    for (const v1::Case* of : node_.All<v1::Case>()) {
      RC_ASSERT(staying.contains(of->id()) == !of->centre().empty());
    }
  }

  Node node_;
  absl::Time now_ = Morning();
  std::vector<std::string> persons_;
  std::set<std::string> all_persons_;
  std::map<std::string, v1::Case> before_;
};

rc::Gen<Step> AnyStep() {
  return rc::gen::construct<Step>(rc::gen::inRange(0, 19), rc::gen::inRange(0, kPersons),
                                  rc::gen::inRange(0, 8));
}

RC_GTEST_PROP(Registration, KeepsItsPromisesInAnySequenceOfCommands, ()) {
  const auto steps = *rc::gen::container<std::vector<Step>>(AnyStep());
  Walk walk;
  for (const Step& step : steps) walk.Take(step);
}

// Long walks reach the end of a case's life; short ones shrink well. The long ones are not shrunk: it takes minutes.
RC_GTEST_PROP(Registration, KeepsItsPromisesOnLongWalks, ()) {
  const auto steps = *rc::gen::noShrink(rc::gen::container<std::vector<Step>>(300, AnyStep()));
  Walk walk;
  for (const Step& step : steps) walk.Take(step);
}

RC_GTEST_PROP(NameWords, TakesAnyBytes, (const std::string& bytes)) {
  const auto words = NameWords(bytes);
  std::string joined;
  for (const auto& word : words) joined += word + " ";
  // Folding what is folded changes nothing.
  RC_ASSERT(NameWords(joined) == words);
}

}  // namespace
}  // namespace sankofa::registration
