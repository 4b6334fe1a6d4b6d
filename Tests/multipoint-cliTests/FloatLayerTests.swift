import XCTest

@testable import multipoint_cli

final class FloatLayerTests: XCTestCase {
    func testPatterns() {
        let matches = [
            ("conv1", "conv1"), ("conv1", "*"), ("conv1", "conv*"), ("conv1", "*1"), ("conv1", "c*v*1"), ("", "*"), ("aXbXb", "a*b"),
            ("/head/conv/Conv", "/head/*"), ("conv1", "conv1*"), ("conv1", "**"), ("a*b", "a*b"),
        ]
        for (text, pattern) in matches { XCTAssertTrue(text.matches(pattern), "\(pattern) of \(text)") }
        let others = [
            ("conv1", "conv"), ("conv1", "conv2*"), ("conv1", "*2"), ("ab", "ab*b"), ("aba", "ab*ba"), ("conv1", ""), ("", "a*"),
            ("abc", "a*c*b"), ("conv1", "*v*v*"),
        ]
        for (text, pattern) in others { XCTAssertFalse(text.matches(pattern), "\(pattern) of \(text)") }
    }

    func testLayers() throws {
        let names = ["stem", "block/1", "block/2", "head*"]
        XCTAssertEqual(try FloatLayerOptions.parse([]).layers(among: names), [])
        let options = try FloatLayerOptions.parse(["--float-layer", "block/*", "--float-layer", "head*"])
        XCTAssertEqual(try options.layers(among: names), ["block/1", "block/2", "head*"])
        XCTAssertThrowsError(try FloatLayerOptions.parse(["--float-layer", "tail*"]).layers(among: names)) {
            XCTAssertEqual("\($0)", "--float-layer: no layer is called `tail*`; there are `stem`, `block/1`, `block/2`, `head*`")
        }
    }
}
