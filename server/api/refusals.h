// Calls that are refused at the door, by the address that they come from: strangers can neither keep the server busy
// with refusing them one by one nor fill its disk with lines about that.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/observe/environment.h"

namespace deconvoy::server {

// The part of a peer (of gRPC: `ipv4:10.0.0.9:51230`) that stays the same from one connection to the next:
// `ipv4:10.0.0.9`; `ipv6:2001:db8::/64`, since one machine may have all addresses of such a network; `unix` for all
// Unix sockets.
std::string AddressOf(std::string_view peer);

// Counts in seconds that begin with an address's first refused call. Thread safe.
class Refusals {
 public:
  // `per_second`: refused calls of one address that are answered with what is wrong with them; 0: all, and a line on
  // each. `clock` must outlive this.
  Refusals(int64_t per_second, const Clock& clock) : per_second_(per_second), clock_(clock) {}

  // What is to become of a refused call.
  struct Outcome {
    bool told = false;                               // in the logs: the first of its second
    int64_t left_out = 0;                            // of a call that is told: those before it that were not
    std::optional<std::chrono::milliseconds> later;  // there were too many: when the next second begins, above 0
  };
  // Counts a call that is refused. Beyond some thousands of addresses at a time all others count as one.
  Outcome Count(const std::string& address);

  // Calls that were not told, and after which none has come.
  struct LeftOut {
    std::string address;
    int64_t calls = 0;
  };
  // Forgets the addresses that have made no refused call in the last second. Looks once a second.
  std::vector<LeftOut> ForgetQuiet();
  // Forgets all addresses.
  std::vector<LeftOut> ForgetAll();

  int64_t per_second() const { return per_second_; }

 private:
  struct Use {
    std::chrono::steady_clock::time_point begun, last;  // of its second; its last call
    int64_t calls = 0;                                  // in that second
    int64_t left_out = 0;
  };

  // REQUIRES: mutex_ is held.
  std::vector<LeftOut> ForgetBefore(std::chrono::steady_clock::time_point time);

  const int64_t per_second_;
  const Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, Use> uses_;                 // by address; guarded by mutex_, as is what follows
  std::chrono::steady_clock::time_point looked_{};  // by ForgetQuiet
};

}  // namespace deconvoy::server
