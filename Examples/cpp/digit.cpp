// Recognizes a handwritten digit with the network of Examples/digits.
#include <multipoint.hpp>

#include <algorithm>
#include <cstdio>

int main() try {
    const multipoint::Model model("digits.multipoint");
    multipoint::Session session(model);

    // 8 x 8 pixels of 0 to 16. The network takes 0 to 1.
    std::vector<float> image = {
         0,  0,  0, 10,  9,  0,  0,  0,
         0,  0,  5, 15,  0,  0,  9,  5,
         0,  0, 14, 10,  0,  7, 16,  4,
         0,  5, 16,  7,  5, 16,  6,  0,
         0, 11, 16, 16, 16, 14,  0,  0,
         0,  3,  4, 11, 16,  8,  0,  0,
         0,  0,  0,  7, 16,  2,  0,  0,
         0,  0,  0, 12, 12,  0,  0,  0,
    };
    for (float &pixel : image) pixel /= 16;

    const std::vector<float> logits = session.run(image); // [1, 1, 8, 8] to [1, 10]
    std::printf("a %d\n", int(std::max_element(logits.begin(), logits.end()) - logits.begin()));
} catch (const multipoint::Error &error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
