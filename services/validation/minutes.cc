#include "services/validation/minutes.h"

#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/platform/crypto/hash.h"
#include "services/platform/time/time.h"
#include "services/validation/voting.h"

namespace sankofa::validation {
namespace {

using common::v1::Money;
using money::Language;

// What people wrote, on one line: a line break in a title must not look like another entry of the minutes.
std::string Line(const std::string& text) {
  std::string line = text;
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  return line;
}

std::string TimeText(const absl::Time& time) {
  return absl::FormatTime("%Y-%m-%d %H:%M UTC", time, absl::UTCTimeZone());
}

class Writer {
 public:
  Writer(const v1::Session& session, absl::Time closed, Language language)
      : session_(session), closed_(closed), french_(language == Language::kFrench) {}

  std::string Text() {
    Head();
    Seats();
    Add("");
    Add(french_ ? "ORDRE DU JOUR" : "AGENDA");
    int number = 0;
    for (const v1::AgendaItem& item : session_.agenda()) Item(++number, item);
    Result();
    return absl::StrCat(absl::StrJoin(lines_, "\n"), "\n");
  }

 private:
  void Add(std::string line) { lines_.push_back(std::move(line)); }
  // "label: value" in the language of the minutes.
  void Add(const char* french, const char* english, const std::string& value) {
    Add(absl::StrCat(french_ ? french : english, ": ", value));
  }
  [[nodiscard]] std::string Amount(const Money& amount) const {
    return money::Format(amount, french_ ? Language::kFrench : Language::kEnglish);
  }

  void Head() {
    Add(french_ ? "PROCÈS-VERBAL DE SÉANCE" : "MINUTES OF THE SITTING");
    Add("Comité", "Committee",
        absl::StrCat(Line(session_.committee_name()), " (", session_.committee_code(), ")"));
    Add("Séance", "Sitting", session_.id());
    Add("Date", "Date", session_.date());
    Add("Lieu", "Place", Line(session_.place()));
    Add("Ouverture", "Opened", TimeText(time::FromTimestamp(session_.opened_time())));
    Add("Clôture", "Closed", TimeText(closed_));
    Add("Enveloppe", "Cap",
        session_.has_cap() ? Amount(session_.cap()) : std::string(french_ ? "aucune" : "none"));
  }

  void Seats() {
    Add("");
    Add(french_ ? "SIÈGES" : "SEATS");
    for (const v1::SessionSeat& one : session_.seats()) {
      const v1::Seat& seat = one.seat();
      std::string line = absl::StrCat("- ", seat.code());
      if (!seat.title().empty()) absl::StrAppend(&line, ", ", Line(seat.title()));
      absl::StrAppend(&line, " (", CollegeText(seat.college()));
      if (seat.role() == v1::SEAT_ROLE_CHAIR) {
        absl::StrAppend(&line, french_ ? ", présidence" : ", chair");
      } else if (seat.role() == v1::SEAT_ROLE_DEPUTY_CHAIR) {
        absl::StrAppend(&line, french_ ? ", vice-présidence" : ", deputy chair");
      }
      if (seat.without_vote()) absl::StrAppend(&line, french_ ? ", sans voix" : ", without vote");
      absl::StrAppend(&line, "): ", PresenceText(one.presence()));
      Add(std::move(line));
    }
  }

  void Item(int number, const v1::AgendaItem& item) {
    Add("");
    const std::string& name =
        item.case_reference().empty() ? item.project_id() : item.case_reference();
    Add(absl::StrCat(number, ". ", Line(name), " - ", Line(item.title())));
    Add("   Type", "   Kind", KindText(item.kind()));
    Add("   Projet", "   Project", absl::StrCat(item.project_id(), ", version ", item.version()));
    Add("   Demandé", "   Requested", Amount(item.requested()));
    if (!item.interested_seats().empty()) {
      Add("   Intérêt déclaré", "   Interest declared",
          absl::StrJoin(item.interested_seats(), ", "));
    }
    if (!item.votes().empty()) Add("   Voix", "   Votes", VotesText(item));
    Add("   Décision", "   Decision", OutcomeText(item));
    for (const std::string& condition : item.conditions()) {
      Add("   Condition", "   Condition", Line(condition));
    }
    if (!item.reason().empty()) Add("   Motif", "   Reason", Line(item.reason()));
  }

  void Result() {
    const Outcomes outcomes = CountOutcomes(session_);
    Add("");
    Add(french_ ? "RÉSULTAT" : "RESULT");
    Add("Examinés", "Examined", absl::StrCat(outcomes.examined()));
    Add("Approuvés", "Approved", absl::StrCat(outcomes.approved));
    Add("Ajournés", "Adjourned", absl::StrCat(outcomes.adjourned));
    Add("Refusés", "Refused", absl::StrCat(outcomes.refused));
    if (outcomes.dropped > 0) {
      Add("Non examinés", "Not examined", absl::StrCat(outcomes.dropped));
    }
    for (const Money& total : session_.approved_totals()) {
      Add("Total approuvé", "Total approved", Amount(total));
    }
  }

  [[nodiscard]] std::string VotesText(const v1::AgendaItem& item) const {
    int in_favour = 0;
    int against = 0;
    int adjourn = 0;
    for (const v1::Vote& vote : item.votes()) {
      in_favour += vote.value() == v1::VOTE_VALUE_FOR ? 1 : 0;
      against += vote.value() == v1::VOTE_VALUE_AGAINST ? 1 : 0;
      adjourn += vote.value() == v1::VOTE_VALUE_ADJOURN ? 1 : 0;
    }
    return french_
               ? absl::StrCat(in_favour, " pour, ", against, " contre, ", adjourn,
                              " pour l'ajournement")
               : absl::StrCat(in_favour, " for, ", against, " against, ", adjourn, " to adjourn");
  }

  [[nodiscard]] std::string OutcomeText(const v1::AgendaItem& item) const {
    switch (item.outcome()) {
      case v1::AGENDA_OUTCOME_APPROVED:
        return absl::StrCat(french_ ? "approuvé pour " : "approved for ", Amount(item.approved()));
      case v1::AGENDA_OUTCOME_REFUSED: return french_ ? "refusé" : "refused";
      case v1::AGENDA_OUTCOME_DROPPED:
        return french_ ? "non examiné: le projet a changé ou a été retiré"
                       : "not examined: the project changed or was withdrawn";
      default: break;
    }
    if (item.applicant_absent()) {
      return french_ ? "ajourné: demandeur absent" : "adjourned: applicant absent";
    }
    return french_ ? "ajourné" : "adjourned";
  }

  [[nodiscard]] const char* CollegeText(v1::College college) const {
    switch (college) {
      case v1::COLLEGE_ORIGIN_STATE: return french_ ? "État d'origine" : "state of origin";
      case v1::COLLEGE_HOST_STATE: return french_ ? "État hôte" : "host state";
      case v1::COLLEGE_OPERATORS: return french_ ? "opérateurs" : "operators";
      case v1::COLLEGE_CIVIL_SOCIETY: return french_ ? "société civile" : "civil society";
      default: return "-";
    }
  }

  [[nodiscard]] const char* PresenceText(v1::Presence presence) const {
    switch (presence) {
      case v1::PRESENCE_HOLDER: return french_ ? "titulaire" : "holder";
      case v1::PRESENCE_DEPUTY: return french_ ? "suppléant" : "deputy";
      default: return "absent";
    }
  }

  [[nodiscard]] const char* KindText(v1::ProjectKind kind) const {
    switch (kind) {
      case v1::PROJECT_KIND_BUSINESS_CREATION:
        return french_ ? "création d'entreprise" : "business creation";
      case v1::PROJECT_KIND_EMPLOYMENT: return french_ ? "emploi" : "employment";
      case v1::PROJECT_KIND_TRAINING: return french_ ? "formation" : "training";
      case v1::PROJECT_KIND_SOCIAL: return french_ ? "aide sociale" : "social";
      default: return "-";
    }
  }

  const v1::Session& session_;
  const absl::Time closed_;
  const bool french_;
  std::vector<std::string> lines_;
};

}  // namespace

Outcomes CountOutcomes(const v1::Session& session) {
  Outcomes outcomes;
  for (const v1::AgendaItem& item : session.agenda()) {
    outcomes.approved += item.outcome() == v1::AGENDA_OUTCOME_APPROVED ? 1 : 0;
    outcomes.adjourned += item.outcome() == v1::AGENDA_OUTCOME_ADJOURNED ? 1 : 0;
    outcomes.refused += item.outcome() == v1::AGENDA_OUTCOME_REFUSED ? 1 : 0;
    outcomes.dropped += item.outcome() == v1::AGENDA_OUTCOME_DROPPED ? 1 : 0;
  }
  return outcomes;
}

std::string MinutesText(const v1::Session& session, absl::Time closed, Language language) {
  return Writer(session, closed, language).Text();
}

std::string MinutesHash(const v1::Minutes& minutes) {
  std::string both = minutes.text_fr();
  both.push_back('\0');
  both.append(minutes.text_en());
  return crypto::HashHex(both);
}

v1::SessionClosed CloseWithMinutes(const v1::Session& session, const engine::Context& context) {
  v1::SessionClosed event;
  event.set_session_id(session.id());
  event.set_committee_code(session.committee_code());
  v1::Minutes& minutes = *event.mutable_minutes();
  minutes.set_text_fr(MinutesText(session, context.now, Language::kFrench));
  minutes.set_text_en(MinutesText(session, context.now, Language::kEnglish));
  minutes.set_hash(MinutesHash(minutes));
  if (context.sign) {
    engine::Signature signature = context.sign(kMinutesLabel, minutes.hash());
    minutes.set_signature(std::move(signature.bytes));
    minutes.set_public_key(std::move(signature.public_key));
  }
  event.set_minutes_hash(minutes.hash());
  const Outcomes outcomes = CountOutcomes(session);
  event.set_examined(outcomes.examined());
  event.set_approved(outcomes.approved);
  event.set_adjourned(outcomes.adjourned);
  event.set_refused(outcomes.refused);
  *event.mutable_approved_totals() = session.approved_totals();
  *event.mutable_closed_time() = time::ToTimestamp(context.now);
  return event;
}

}  // namespace sankofa::validation
