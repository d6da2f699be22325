// SPDX-License-Identifier: Apache-2.0
// The parts of Boost.JSON that are not templates, compiled once: the module links no Boost library.
#include <boost/json/src.hpp>
