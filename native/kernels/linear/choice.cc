#include "kernels/linear/choice.h"

#include <algorithm>

namespace espalier {

extern const LayoutFamily kDenseFamily, kCsrFamily, kSellFamily, kRowTilesFamily,
    kPermuteBlockFamily, kShortBlocksFamily;

namespace {

// The one list of layouts: dense first, against which all are weighed; those that must be counted
// to be planned come last.
constexpr const LayoutFamily* kFamilies[] = {&kDenseFamily,        &kCsrFamily,
                                             &kSellFamily,         &kRowTilesFamily,
                                             &kPermuteBlockFamily, &kShortBlocksFamily};

}  // namespace

bool found_forced(const LayoutRequest& request, const std::vector<Candidate>& list) {
  return !request.forced.empty() &&
         std::any_of(list.begin(), list.end(), [&](const Candidate& candidate) {
           return candidate.forced_by(request.forced);
         });
}

std::vector<Candidate> candidates(const CsrView& csr, const float* bias, Isa isa, int n, bool cold,
                                  ValueFormat format, const std::string& forced) {
  LayoutRequest request = {csr, bias, isa, n, cold, {ValueFormat::kFloat32}, forced};
  if (format != ValueFormat::kFloat32) request.formats.push_back(format);
  std::vector<Candidate> list;
  for (const LayoutFamily* family : kFamilies) family->add(request, list);
  return list;
}

std::vector<std::string> layout_names(Isa isa) {
  std::vector<std::string> names;
  for (const LayoutFamily* family : kFamilies) {
    for (std::string& name : family->names(isa)) names.push_back(std::move(name));
  }
  return names;
}

}  // namespace espalier
