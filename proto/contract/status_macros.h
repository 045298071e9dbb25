// Leaving a function early when a status is an error.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <utility>

// Returns the error of `expression` (an absl::Status) from the enclosing function.
#define RETURN_IF_ERROR(expression)                                                                                \
  do {                                                                                                             \
    if (absl::Status status_of_expression = (expression); !status_of_expression.ok()) return status_of_expression; \
  } while (false)

#define DECONVOY_CONCAT_INNER(a, b) a##b
#define DECONVOY_CONCAT(a, b) DECONVOY_CONCAT_INNER(a, b)

// Moves the value of `expression` (an absl::StatusOr) into `declaration`, or returns its error.
#define ASSIGN_OR_RETURN(declaration, expression) \
  DECONVOY_ASSIGN_OR_RETURN(DECONVOY_CONCAT(status_or_, __LINE__), declaration, expression)
#define DECONVOY_ASSIGN_OR_RETURN(temporary, declaration, expression) \
  auto temporary = (expression);                                      \
  if (!temporary.ok()) return std::move(temporary).status();          \
  declaration = *std::move(temporary)
