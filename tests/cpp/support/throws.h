// What a call throws.
#pragma once

#include <gtest/gtest.h>

#include <exception>
#include <initializer_list>
#include <string>

namespace vidrt::testing {

/// The message of the exception of type E that `call` throws; fails the test when it throws nothing or something else.
template <typename E, typename Call>
std::string message_of(Call&& call) {
  try {
    call();
  } catch (const E& error) {
    return error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE() << "threw another exception: " << error.what();
    return "";
  }
  ADD_FAILURE() << "threw nothing";
  return "";
}

/// Passes when `message` holds every one of `parts`.
inline ::testing::AssertionResult names(const std::string& message, std::initializer_list<const char*> parts) {
  for (const char* part : parts) {
    if (message.find(part) == std::string::npos) {
      return ::testing::AssertionFailure() << "'" << message << "' does not say '" << part << "'";
    }
  }
  return ::testing::AssertionSuccess();
}

}  // namespace vidrt::testing
