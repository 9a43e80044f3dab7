#pragma once

namespace sankofa::rpc {

// What gRPC and protobuf have to say goes into our log, so that a process writes one kind of line. Most of their errors
// are a caller's (a handshake that failed, text that is not UTF-8): gRPC's are warnings here, at most one in ten
// seconds; protobuf's are for debugging. May be called again.
void AdoptLibraryLogs();

}  // namespace sankofa::rpc
