// Models of the library, of the client.
#include "client/cpp/client.h"
#include "client/cpp/connection.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {

using Models = v1::Models::Stub;

absl::StatusOr<v1::Model> Client::CreateModel(v1::CreateModelRequest request, std::stop_token stop) const {
  request.set_request_id(NewRequestId());
  return connection_->Create(connection_->models(), &Models::Create, request, stop);
}

absl::StatusOr<v1::Model> Client::GetModel(const std::string& model, std::stop_token stop) const {
  v1::GetModelRequest request;
  request.set_model(model);
  return connection_->Call(connection_->models(), &Models::Get, request, stop);
}

absl::StatusOr<std::vector<v1::Model>> Client::ListModels(const std::string& model, std::stop_token stop) const {
  std::vector<v1::Model> all;
  v1::ListModelsRequest request;
  request.set_model(model);
  do {
    ASSIGN_OR_RETURN(const v1::ListModelsResponse page,
                     connection_->Call(connection_->models(), &Models::List, request, stop));
    all.insert(all.end(), page.models().begin(), page.models().end());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return all;
}

absl::Status Client::DeleteModel(const std::string& model, std::stop_token stop) const {
  v1::DeleteModelRequest request;
  request.set_model(model);
  return connection_->Call(connection_->models(), &Models::Delete, request, stop).status();
}

}  // namespace deconvoy::client
