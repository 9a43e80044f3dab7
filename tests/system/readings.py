"""Methods that read, by what a node has to have for them to show anything."""

# Methods that show something of a case only where there are partners.
BETWEEN_NODES = {
    "registration.GetHandOver", "registration.ListHandOvers", "validation.GetForwardedVote", "exchange.ListReceived",
    "exchange.GetReceivedDisclosure", "exchange.ListErasures", "exchange.ListRefusals", "exchange.Replay",
    "exchange.Subscribe", "exchange.GetDigest", "exchange.CompareDigests"}
