// A bad network: a port of this machine behind which a server on a Unix socket can be reached, late, with broken
// connections, and with connections that stay open and carry nothing any more. It counts what clients send.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <list>
#include <mutex>
#include <string>
#include <thread>

namespace deconvoy::testing {

// Thread safe. One thread for each direction of each connection.
class FlakyProxy {
 public:
  // Passes on to the Unix socket `target`, which need not be there yet.
  explicit FlakyProxy(std::filesystem::path target);
  ~FlakyProxy();
  FlakyProxy(const FlakyProxy&) = delete;
  FlakyProxy& operator=(const FlakyProxy&) = delete;

  std::string address() const;  // 127.0.0.1:port

  // Every piece of at most 64 KiB arrives this much later, from now on.
  void Delay(std::chrono::milliseconds delay) { delay_ms_ = delay.count(); }
  // Breaks each connection after so many bytes in one direction, what is on its way lost; 0: none.
  void BreakAfter(int64_t bytes) { break_after_ = bytes; }
  // Breaks all connections that are open.
  void BreakAll();
  // Lets all connections that are open carry nothing any more, for good: what either end sends is taken and lost, and
  // neither hears that the other one has closed. New ones are whole.
  void Swallow();
  int64_t swallowed() const { return swallowed_; }  // bytes lost so, of both ends
  int64_t broken() const { return broken_; }        // connections, by BreakAfter
  // Breaks all connections that are open each time that so many bytes of clients have come, counted from the start;
  // rising. The piece that reaches a place is still passed on.
  void CutAt(std::deque<int64_t> places);
  int64_t cuts() const;   // by CutAt
  int64_t bytes() const;  // of clients that have come so far

 private:
  struct Connection {
    int client = -1, server = -1;
    std::atomic<bool> dead = false;  // swallows
    std::jthread up, down;
  };

  void Accept();
  void Pass(const Connection& connection, bool of_client);
  // REQUIRES: mutex_ is held.
  void ShutAll();

  const std::filesystem::path target_;
  const int listener_;
  std::atomic<int64_t> delay_ms_ = 0, break_after_ = 0, broken_ = 0, swallowed_ = 0;
  mutable std::mutex mutex_;
  // --- guarded by mutex_ ---
  std::list<Connection> connections_;
  std::deque<int64_t> places_;
  int64_t bytes_ = 0, cuts_ = 0;

  std::jthread acceptor_;  // last: it uses the rest
};

}  // namespace deconvoy::testing
