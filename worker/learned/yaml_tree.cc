#include "worker/learned/yaml_tree.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <exception>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "proto/contract/error.h"

namespace deconvoy::worker::learned {
namespace {

using Json = nlohmann::json;

// Why the text is refused; thrown through the parser, and caught in ParseYaml.
struct Refusal final : std::exception {
  Refusal(int line_of, std::string what_is, v1::ErrorReason reason_of = v1::INVALID_FIELD)
      : line(line_of), said(std::move(what_is)), reason(reason_of) {}
  const char* what() const noexcept override { return said.c_str(); }

  int line;  // from 0
  std::string said;
  v1::ErrorReason reason;
};

class TreeBuilder final : public YAML::EventHandler {
 public:
  Json Take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& /*mark*/) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    CheckPlain(mark, "", anchor);
    Put(mark, nullptr, false);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override { Refuse(mark, "an alias"); }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    CheckPlain(mark, tag, anchor);
    if (!open_.empty() && open_.back().container.is_object() && !open_.back().key) {
      TakeKey(mark, value);
      return;
    }
    const bool null = tag == "?" && (value == "null" || value == "Null" || value == "NULL" || value == "~");
    Put(mark, null ? Json(nullptr) : Json(value), false);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    CheckPlain(mark, tag, anchor);
    Put(mark, Json::array(), true);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    CheckPlain(mark, tag, anchor);
    Put(mark, Json::object(), true);
  }
  void OnMapEnd() override { Close(); }

 private:
  // A list or map that has not ended, and the key whose value is awaited.
  struct Open {
    Json container;
    std::optional<std::string> key;
  };

  [[noreturn]] static void Refuse(const YAML::Mark& mark, const std::string& what) {
    throw Refusal(mark.line, "has " + what + ", which is not taken here");
  }
  // Tags are empty or `?` for plain values and `!` for quoted ones.
  static void CheckPlain(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (anchor != 0) Refuse(mark, "an anchor");
    if (!tag.empty() && tag != "?" && tag != "!") Refuse(mark, "the tag '" + tag + "'");
  }

  void TakeKey(const YAML::Mark& mark, const std::string& key) {
    if (open_.back().container.contains(key)) throw Refusal(mark.line, "has the key '" + key + "' twice");
    open_.back().key = key;
  }

  void Put(const YAML::Mark& mark, Json value, bool opens) {
    if (++nodes_ > kMostTreeNodes) {
      throw Refusal(mark.line, fmt::format("has more than {} entries", kMostTreeNodes), v1::LIMIT_EXCEEDED);
    }
    if (!open_.empty() && open_.back().container.is_object() && !open_.back().key) {
      throw Refusal(mark.line, "has a key that is no text");
    }
    if (!opens) {
      Insert(std::move(value));
      return;
    }
    if (open_.size() == kMostTreeDepth) {
      throw Refusal(mark.line, fmt::format("is nested more than {} deep", kMostTreeDepth), v1::LIMIT_EXCEEDED);
    }
    open_.push_back({std::move(value), std::nullopt});
  }

  void Insert(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (Open& open = open_.back(); open.key) {
      open.container[*std::exchange(open.key, std::nullopt)] = std::move(value);
    } else {
      open.container.push_back(std::move(value));
    }
  }

  void Close() {
    Json whole = std::move(open_.back().container);
    open_.pop_back();
    Insert(std::move(whole));
  }

  Json root_;
  std::vector<Open> open_;
  size_t nodes_ = 0;
};

absl::Status Refused(const Refusal& refusal, std::string_view field) {
  return MakeError({.reason = refusal.reason,
                    .field = std::string(field),
                    .remedy = "Give YAML or JSON of one document, without anchors, aliases and tags."},
                   fmt::format("line {} of the descriptor {}", refusal.line + 1, Printable(refusal.said)));
}

}  // namespace

absl::StatusOr<Json> ParseYaml(std::string_view text, std::string_view field) {
  if (!IsUtf8(text) || text.find('\0') != std::string_view::npos) {
    return Refused({0, "and what follows is no text in UTF-8"}, field);
  }
  std::istringstream in{std::string(text)};
  TreeBuilder tree;
  try {
    YAML::Parser parser(in);
    if (!parser.HandleNextDocument(tree)) return Refused({0, "and what follows is empty"}, field);
    Json root = tree.Take();
    TreeBuilder rest;
    if (parser.HandleNextDocument(rest)) return Refused({0, "begins a text of more than one document"}, field);
    return root;
  } catch (const Refusal& refusal) {
    return Refused(refusal, field);
  } catch (const YAML::Exception& error) {
    return Refused({std::max(error.mark.line, 0), "is no YAML: " + error.msg}, field);
  } catch (const std::exception& error) {
    return Refused({0, std::string("and what follows is no YAML: ") + error.what()}, field);
  }
}

}  // namespace deconvoy::worker::learned
