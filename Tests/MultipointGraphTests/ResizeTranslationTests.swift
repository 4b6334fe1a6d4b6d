import MultipointGraph
import Testing

@Suite struct ResizeTranslationTests {
    private func resize(_ size: [Int], _ scales: [Float], _ mode: Resize.Mode, _ coordinates: Resize.Coordinates = .halfPixel) -> MultipointGraph.Operation {
        .resize(Resize(axes: [2, 3], sizes: size, scales: scales, mode: mode, coordinates: coordinates))
    }

    private func resized(
        _ opset: Int, _ inputs: [String], _ attributes: [String: AttributeValue] = [:], _ constants: [String: Tensor]
    ) throws -> [MultipointGraph.Operation] {
        try operations(definition(opset: opset, input: [.batch, 4, 8, 6], [node("Resize", inputs, "y", attributes)], constants))
    }

    private let scales = ["s": Tensor(shape: [4], [Float(1), 1, 2, 1.5])]

    @Test func upsample() throws {
        for mode in ["nearest", "linear"] {
            let expected = resize([16, 9], [2, 1.5], mode == "linear" ? .linear : .nearest(.floor), .asymmetric)
            let upsample: (Int, [String], [String: AttributeValue]) -> GraphDefinition = { [scales] opset, inputs, attributes in
                definition(opset: opset, input: [.batch, 4, 8, 6], [node("Upsample", inputs, "y", attributes)], scales)
            }
            #expect(try operations(upsample(7, ["x"], ["mode": .string(mode), "scales": .floats([1, 1, 2, 1.5])])) == [expected])
            #expect(try operations(upsample(9, ["x", "s"], ["mode": .string(mode)])) == [expected])
            #expect(try resized(10, ["x", "s"], ["mode": .string(mode)], scales) == [expected])
            expectError(.unsupported, upsample(13, ["x", "s"], [:]), "node `y`", "replaced it by Resize")
        }
    }

    /// ONNX's own example of version 10: [[1, 2, 3, 4], [5, 6, 7, 8]] by 0.6 is [[1, 3]].
    @Test func versionTenTakesTheNextElementWhenItShrinks() throws {
        let shrinking = ["s": Tensor(shape: [4], [Float(1), 1, 0.5, 0.5])], mixed = ["s": Tensor(shape: [4], [Float(1), 1, 2, 0.5])]
        #expect(try resized(10, ["x", "s"], [:], shrinking) == [resize([4, 3], [0.5, 0.5], .nearest(.ceil), .asymmetric)])
        #expect(
            try resized(10, ["x", "s"], [:], mixed) == [
                .resize(Resize(axes: [2], sizes: [16], scales: [2], mode: .nearest(.floor), coordinates: .asymmetric)),
                .resize(Resize(axes: [3], sizes: [3], scales: [0.5], mode: .nearest(.ceil), coordinates: .asymmetric)),
            ])
    }

    @Test(arguments: [11, 13, 18, 19, 28]) func scalesAndSizes(opset: Int) throws {
        let expected = resize([16, 9], [2, 1.5], .linear)
        #expect(try resized(opset, ["x", "", "s"], ["mode": "linear"], scales) == [expected])
        let sizes = ["z": ints(1, 4, 16, 9)]
        #expect(try resized(opset, ["x", "", "", "z"], ["mode": "linear"], sizes) == [expected])
        // Before version 13, what is left out is an empty tensor.
        let empty = sizes.merging(["e": zeros(0)]) { $1 }
        #expect(try resized(opset, ["x", "e", "e", "z"], ["mode": "linear"], empty) == [expected])
        if opset >= 18 {
            let axes: [String: AttributeValue] = ["mode": "linear", "axes": [-1, 2]]
            let swapped = Resize(axes: [3, 2], sizes: [9, 16], scales: [1.5, 2], mode: .linear, coordinates: .halfPixel)
            #expect(try resized(opset, ["x", "", "", "z"], axes, ["z": ints(9, 16)]) == [.resize(swapped)])
        }
        let both = definition(opset: opset, input: [.batch, 4, 8, 6], [node("Resize", ["x", "", "s", "z"], "y")], scales.merging(sizes) { $1 })
        expectError(.invalid, both, "node `y`", "4 scales and 4 sizes")
    }

    @Test func modesAndCoordinates() throws {
        for (name, coordinates) in [
            ("half_pixel", .halfPixel), ("half_pixel_symmetric", .halfPixelSymmetric), ("pytorch_half_pixel", .pytorchHalfPixel),
            ("align_corners", .alignCorners), ("asymmetric", .asymmetric),
        ] as [(String, Resize.Coordinates)] {
            for (mode, rounding) in [
                ("round_prefer_floor", .roundPreferFloor), ("round_prefer_ceil", .roundPreferCeil), ("floor", .floor), ("ceil", .ceil),
            ] as [(String, Resize.Rounding)] {
                let attributes: [String: AttributeValue] = [
                    "coordinate_transformation_mode": .string(name), "nearest_mode": .string(mode),
                ]
                #expect(try resized(19, ["x", "", "s"], attributes, scales) == [resize([16, 9], [2, 1.5], .nearest(rounding), coordinates)])
            }
        }
        let cubic: [String: AttributeValue] = ["mode": "cubic", "cubic_coeff_a": -0.5, "exclude_outside": 1, "antialias": 1]
        let expected = Resize(
            axes: [2, 3], sizes: [16, 9], scales: [2, 1.5], mode: .cubic(a: -0.5), coordinates: .halfPixel, excludesOutside: true,
            antialiases: true)
        #expect(try resized(18, ["x", "", "s"], cubic, scales) == [.resize(expected)])
        for (attribute, value) in [("mode", "area"), ("nearest_mode", "up"), ("coordinate_transformation_mode", "none")] {
            let wrong = definition(input: [.batch, 4, 8, 6], [node("Resize", ["x", "", "s"], "y", [attribute: .string(value)])], scales)
            expectError(.invalid, wrong, "node `y`", "`\(value)`")
        }
    }

    /// 8 × 6 within 4 × 4: by min(0.5, 2/3) 4 × 3, by the larger 5.33 → 5 × 4.
    @Test(arguments: [("not_larger", [4, 3], Float(0.5)), ("not_smaller", [5, 4], Float(4) / 6), ("stretch", [4, 4], 0)])
    func aspectRatio(policy: String, sizes: [Int], scale: Float) throws {
        let scales: [Float] = scale == 0 ? [0.5, 4.0 / 6] : [scale, scale]
        let attributes: [String: AttributeValue] = ["axes": [2, 3], "keep_aspect_ratio_policy": .string(policy)]
        #expect(
            try resized(18, ["x", "", "", "z"], attributes, ["z": ints(4, 4)]) == [
                resize(sizes, scales, .nearest(.roundPreferFloor))
            ])
    }

    /// (i + 0.5) / 2 = 0.25, 0.75, 1.25, …; / 1.5 = 1/3, 1, 5/3, …
    @Test(arguments: [
        ("ceil", [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 7, 7], [1, 1, 2, 3, 3, 4, 5, 5, 5]),
        ("round_prefer_floor", [0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 7], [0, 1, 2, 2, 3, 4, 4, 5, 5]),
    ])
    func halfPixelForNearestIsAGather(mode: String, rows: [Int], columns: [Int]) throws {
        let attributes: [String: AttributeValue] = [
            "coordinate_transformation_mode": "tf_half_pixel_for_nn", "nearest_mode": .string(mode),
        ]
        let found = try resized(11, ["x", "", "s"], attributes, scales)
        #expect(found == [.gather(indices: rows, shape: [16], axis: 2), .gather(indices: columns, shape: [9], axis: 3)])
        expectError(
            .invalid, definition(opset: 13, input: [.batch, 4, 8, 6], [node("Resize", ["x", "", "s"], "y", attributes)], scales),
            "tf_half_pixel_for_nn")
    }

    @Test func halfPixelForNearestRoundedDown() throws {
        let attributes: [String: AttributeValue] = ["coordinate_transformation_mode": "tf_half_pixel_for_nn", "nearest_mode": "floor"]
        #expect(try resized(11, ["x", "", "s"], attributes, scales) == [resize([16, 9], [2, 1.5], .nearest(.roundPreferCeil))])
    }

    /// Of 8 rows the last 4 of 7 steps, 3/7 to 1; of 6 columns all.
    @Test func cropsBetweenSamples() throws {
        let attributes: [String: AttributeValue] = ["coordinate_transformation_mode": "tf_crop_and_resize", "mode": "linear"]
        let region = ["r": Tensor(shape: [8], [Float(0), 0, 0, 0, 1, 1, 3.0 / 7, 1]), "z": ints(1, 4, 7, 6)]
        #expect(
            try resized(13, ["x", "r", "", "z"], attributes, region) == [
                .slice(starts: [0], ends: [4], axes: [2], steps: [1]),
                .resize(Resize(axes: [2], sizes: [7], scales: [1.75], mode: .linear, coordinates: .alignCorners)),
            ])
        let between = definition(
            input: [.batch, 4, 8, 6], [node("Resize", ["x", "r", "", "z"], "y", attributes)],
            region.merging(["r": Tensor(shape: [8], [Float(0), 0, 0, 0, 1, 1, 0.5, 1])]) { $1 })
        expectError(.unsupported, between, "node `y`", "begins and ends at samples")
    }

    @Test func cornersOfFractionalSizesAreRefused() {
        let attributes: [String: AttributeValue] = ["coordinate_transformation_mode": "align_corners", "mode": "linear"]
        let fractional = definition(
            input: [.batch, 4, 8, 6], [node("Resize", ["x", "", "s"], "y", attributes)],
            ["s": Tensor(shape: [4], [Float(1), 1, 0.6, 1])])
        expectError(.unsupported, fractional, "node `y`", "align_corners with scale 0.6 of 8 elements along axis 2")
    }

    @Test func whatKeepsItsSizeVanishes() throws {
        let nodes = [node("Resize", ["x", "", "", "z"], "r", ["mode": "cubic"]), node("Neg", ["r"], "y")]
        #expect(try operations(definition(input: [1, 4, 8, 6], nodes, ["z": ints(1, 4, 8, 6)])) == [.elementwise(.neg)])
    }
}
