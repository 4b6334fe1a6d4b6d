/// A layer's weights as the file gives them, an outline, over the original ones, an area.
struct HistogramChart {
    var reconstruction: WeightHistogram
    var original: WeightHistogram?
    /// What `reconstruction` is called.
    var name: String

    private static let (width, height) = (680.0, 240.0)
    private static let (left, right, top, bottom) = (20.0, 20.0, 14.0, 46.0)

    func html(id: String, title: String) -> HTML {
        let highest = max(reconstruction.parts.max() ?? 0, original?.parts.max() ?? 0)
        let (floor, middle) = (Self.height - Self.bottom, (Self.left + Self.width - Self.right) / 2)
        let area: HTML = original.map { "<path class=\"area\" d=\"\(steps($0, highest))\"/>" } ?? ""
        let ticks = [-1.0, -0.5, 0, 0.5, 1].map { part -> HTML in
            let x = middle + part * (middle - Self.left)
            return """
                <path class="grid" d="M\(x) \(Self.top)V\(floor)"/>\
                <text x="\(x)" y="\(floor + 18)" text-anchor="\(part < -0.9 ? "start" : part > 0.9 ? "end" : "middle")">\
                \(shortText(part * reconstruction.limit))</text>
                """
        }
        return """
            <figure class="chart">
            <svg viewBox="0 0 \(Self.width) \(Self.height)" role="img" aria-labelledby="\(id)-title \(id)-text">
            <title id="\(id)-title">\(title)</title>
            <desc id="\(id)-text">\(description)</desc>
            \(ticks)
            <path class="grid" d="M\(Self.left) \(floor)H\(Self.width - Self.right)"/>
            \(area)
            <path class="outline" d="\(steps(reconstruction, highest))"/>
            <text class="axis" x="\(middle)" y="\(Self.height - 6)" text-anchor="middle">weight; the height is the part of all weights</text>
            </svg>
            <figcaption>\(legend)</figcaption>
            </figure>
            """
    }

    private var description: String {
        func text(_ name: String, _ histogram: WeightHistogram) -> String {
            "\(name): from \(shortText(histogram.minimum)) to \(shortText(histogram.maximum)), "
                + "standard deviation \(shortText(histogram.standardDeviation))."
        }
        return text(name, reconstruction) + (original.map { " " + text("Original", $0) } ?? "")
    }

    private var legend: HTML {
        func key(_ shape: HTML, _ name: String, _ histogram: WeightHistogram) -> HTML {
            """
            <span class="key"><svg class="swatch" viewBox="0 0 32 18" aria-hidden="true">\(shape)</svg>\(name): \
            \(shortText(histogram.minimum)) to \(shortText(histogram.maximum)), σ \(shortText(histogram.standardDeviation))</span>
            """
        }
        let outline = key("<path class=\"outline\" d=\"M1 17V6H11V2H21V9H31V17\"/>", name, reconstruction)
        return outline + (original.map { key("<path class=\"area\" d=\"M1 17V6H11V2H21V9H31V17Z\"/>", "Original", $0) } ?? "")
    }

    private func steps(_ histogram: WeightHistogram, _ highest: Double) -> HTML {
        let floor = Self.height - Self.bottom
        let width = (Self.width - Self.left - Self.right) / Double(histogram.parts.count)
        var path: HTML = "M\(Self.left) \(floor)"
        for (index, part) in histogram.parts.enumerated() {
            let y = floor - (highest > 0 ? part / highest : 0) * (floor - Self.top)
            path += "V\(y)H\(Self.left + Double(index + 1) * width)"
        }
        return path + "V\(floor)Z"
    }
}
