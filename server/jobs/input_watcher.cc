#include "server/jobs/input_watcher.h"

#include <utility>

namespace deconvoy::server {

InputWatcher::InputWatcher(std::function<bool(const InputNews&)> take, std::chrono::milliseconds pause)
    : take_(std::move(take)), pause_(pause), thread_([this] { Run(); }) {}

InputWatcher::~InputWatcher() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void InputWatcher::Follow(const std::string& volume_id) {
  const std::lock_guard lock(mutex_);
  ++followed_[volume_id];
}

void InputWatcher::Forget(const std::string& volume_id) {
  const std::lock_guard lock(mutex_);
  const auto found = followed_.find(volume_id);
  if (found != followed_.end() && --found->second == 0) followed_.erase(found);
}

template <typename Make>
void InputWatcher::Add(const std::string& volume_id, const Make& make) {
  {
    const std::lock_guard lock(mutex_);
    if (!followed_.contains(volume_id)) return;
    news_.push_back(make());
  }
  changed_.notify_all();
}

void InputWatcher::Settle() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return news_.empty() && !taking_; });
}

void InputWatcher::BoxesCommitted(const std::string& volume_id, const std::vector<CommittedBox>& boxes) {
  Add(volume_id, [&] {
    InputNews news{.volume_id = volume_id};
    for (const CommittedBox& box : boxes) news.boxes.push_back(box.box);
    return news;
  });
}

void InputWatcher::Completed(const std::string& volume_id) {
  Add(volume_id, [&] { return InputNews{.volume_id = volume_id, .complete = true}; });
}

void InputWatcher::DigestMismatched(const std::string& volume_id, const absl::Status& error) {
  Add(volume_id, [&] { return InputNews{.volume_id = volume_id, .refused = error}; });
}

void InputWatcher::LookAgain(const std::string& volume_id) {
  Add(volume_id, [&] { return InputNews{.volume_id = volume_id}; });
}

void InputWatcher::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !news_.empty(); });
    if (stopping_) return;
    const InputNews news = std::move(news_.front());
    news_.pop_front();
    taking_ = true;
    lock.unlock();
    while (!take_(news)) {
      lock.lock();
      if (changed_.wait_for(lock, pause_, [this] { return stopping_; })) return;
      lock.unlock();
    }
    lock.lock();
    taking_ = false;
    if (news_.empty()) changed_.notify_all();
  }
}

}  // namespace deconvoy::server
