#pragma once

#include <cstdint>

#include "google/protobuf/repeated_field.h"
#include "sankofa/monitoring/v1/indicators.pb.h"

// What of a set of measures may be shown to somebody outside. All measures stand on the same cases, so one measure's
// figures say something of another's: who arrived was registered, the amounts in euro and in francs together are those
// of all who were funded. Hiding cells table by table is not enough then, and this looks at all measures of one
// disaggregation together:
//
//   1. A measure with a total of 1 to k-1 cases is withheld as a whole. Amounts are one thing in all currencies: where
//      one currency is withheld, all are, because the measure in cases would tell the difference.
//   2. Which values of the disaggregation the registered cases hide is found as suppression.h says. Where that can't be
//      done, the disaggregation is left out of all measures.
//   3. All other measures hide the same values, and more where one of them needs it: then all of them do. A measure is
//      left out of the disaggregation where it would make the others hide more than half of the values.
//
// Why nothing small can be computed from what is left: take a hidden value's cell of a measure, with fewer than k cases.
// Exchange what happened to one of its cases with what happened to a case of another hidden value that differs in that
// measure (there is one, since the hidden cells of the measure hold k or more together): every total, every cell shown and
// every relation between measures stays as it is, and the cell does not. So both worlds fit what was published. Where the
// registered cases of the value are hidden too, a case as a whole can be moved.
namespace sankofa::monitoring {

// The threshold where no higher one is asked for. It can't be lowered.
inline constexpr int kMinimumCell = 5;

// Withholds in place. All indicators of one request, broken down by at most one disaggregation, from one statement.
// Withheld totals and cells are empty and marked `suppressed`; where a breakdown is left out there are no cells.
void WithholdFew(google::protobuf::RepeatedPtrField<v1::Indicator>& indicators,
                 std::int64_t threshold);

}  // namespace sankofa::monitoring
