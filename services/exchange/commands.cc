#include "services/exchange/commands.h"

#include "services/exchange/agreement/agreement.h"
#include "services/exchange/erasure/erasure.h"
#include "services/exchange/feed/backlog.h"
#include "services/exchange/feed/feed.h"
#include "services/exchange/feed/shared_case.h"
#include "services/exchange/ingest/commands.h"
#include "services/exchange/partner/partner.h"

namespace sankofa::exchange {

void BindCommands(engine::Registry& registry) {
  BindPartner(registry);
  BindAgreement(registry);
  BindErasure(registry);
  BindSharedCase(registry);
  BindFeed(registry);
  BindBacklog(registry);
  BindIngestCommands(registry);
}

}  // namespace sankofa::exchange
