#include "server/api/received_boxes.h"

#include <gtest/gtest.h>

namespace deconvoy::server {
namespace {

v1::Shape5 Shape() {
  v1::Shape5 shape;
  shape.set_t(60'000);
  shape.set_c(2);
  shape.set_z(24);
  shape.set_y(512);
  shape.set_x(512);
  return shape;
}

v1::Box Slab(uint32_t t, uint32_t c, uint32_t z) {
  v1::Box box;
  box.set_t(t);
  box.set_c(c);
  box.set_z(z);
  box.set_size_z(8);
  box.set_size_y(512);
  box.set_size_x(512);
  return box;
}

void AddSeries(v1::DeconvolveHeader& header, const v1::Box& box, uint32_t times) {
  v1::BoxSeries& series = *header.add_received_series();
  *series.mutable_box() = box;
  series.set_times(times);
}

TEST(ReceivedBoxes, KnowsNothingUnlessToldSo) {
  EXPECT_FALSE(ReceivedBoxes().Contains(Slab(0, 0, 0)));
  EXPECT_FALSE(ReceivedBoxes(v1::DeconvolveHeader(), Shape()).Contains(Slab(0, 0, 0)));
}

TEST(ReceivedBoxes, KnowsSixtyThousandOfThreeSeries) {
  v1::DeconvolveHeader header;
  for (const uint32_t z : {0, 8, 16}) AddSeries(header, Slab(5, 1, z), 20'000);
  const ReceivedBoxes received(header, Shape());
  int known = 0;
  for (uint32_t t = 0; t < 30'000; ++t)
    for (const uint32_t z : {0, 8, 16}) known += received.Contains(Slab(t, 1, z)) ? 1 : 0;
  EXPECT_EQ(known, 60'000);
  EXPECT_FALSE(received.Contains(Slab(4, 1, 0)));
  EXPECT_TRUE(received.Contains(Slab(5, 1, 0)));
  EXPECT_TRUE(received.Contains(Slab(20'004, 1, 16)));
  EXPECT_FALSE(received.Contains(Slab(20'005, 1, 16)));
  EXPECT_FALSE(received.Contains(Slab(5, 0, 0))) << "another channel";
  EXPECT_FALSE(received.Contains(Slab(5, 1, 4))) << "another slab";
}

TEST(ReceivedBoxes, TakesSingleBoxesAndSeriesThatOverlap) {
  v1::DeconvolveHeader header;
  for (uint32_t i = 0; i < 60'000; i += 2) *header.add_received() = Slab(i, 0, 0);
  AddSeries(header, Slab(100, 0, 0), 50);
  AddSeries(header, Slab(90, 0, 0), 100);
  AddSeries(header, Slab(110, 0, 0), 1);
  const ReceivedBoxes received(header, Shape());
  for (uint32_t t = 0; t < 60'000; ++t) {
    EXPECT_EQ(received.Contains(Slab(t, 0, 0)), t % 2 == 0 || (t >= 90 && t < 190)) << t;
  }
}

}  // namespace
}  // namespace deconvoy::server
