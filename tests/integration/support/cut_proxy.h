// A line between client and server that counts what the client sends and breaks where it is told.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace deconvoy::testing {

// Listens on a free port of loopback and carries every connection to the server at `127.0.0.1:port`. Thread safe.
class CutProxy {
 public:
  explicit CutProxy(const std::string& server);
  ~CutProxy();
  CutProxy(const CutProxy&) = delete;
  CutProxy& operator=(const CutProxy&) = delete;

  std::string address() const;
  // All connections break each time that so many bytes of clients have passed, counted from the start; rising.
  void CutAt(std::deque<int64_t> places);
  int64_t bytes() const;  // of clients that have passed so far
  int cuts() const;

 private:
  struct Line {
    int client = -1, server = -1;
  };
  void Run();
  void Accept();
  // False when the connection has ended.
  bool Carry(int from, int to, bool of_client);
  bool CutIsDue();

  const int server_port_;
  int listener_ = -1;
  int port_ = 0;
  int wake_[2] = {-1, -1};
  std::vector<Line> lines_;  // of the thread alone

  mutable std::mutex mutex_;
  // --- guarded by mutex_ ---
  std::deque<int64_t> places_;
  int64_t bytes_ = 0;
  int cuts_ = 0;

  std::thread thread_;  // last: it uses the rest
};

}  // namespace deconvoy::testing
