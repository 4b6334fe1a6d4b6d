import Glibc
import NumPyArrays

/// One row per layer, with bars beside the numbers.
struct LayerTable {
    let layers: [ReportedLayer]

    private var widest: Double { max(4, layers.filter { !$0.summary.isFloat }.map(\.summary.bitsPerWeight).max() ?? 4) }
    private var hasErrors: Bool { layers.contains { $0.summary.relativeOutputError != nil } }
    private var hasNearest: Bool { layers.contains { $0.nearestError != nil } }

    /// The smallest power of ten that an error reaches; bars start there.
    private var floorDecade: Double {
        let errors = layers.flatMap { [$0.summary.relativeOutputError, $0.nearestError] }.compactMap(\.self).filter { $0 > 0 }
        return errors.min().map { min(-1, log10($0).rounded(.down)) } ?? -1
    }

    var html: HTML {
        let error: HTML = hasErrors ? "<th scope=\"col\">Output error</th>" : ""
        return """
            <div class="wide"><table class="layers">
            <caption>\(caption)</caption>
            <thead><tr><th scope="col">Layer</th><th scope="col" class="number">Weights</th><th scope="col">Bits per weight</th>\
            \(error)<th scope="col">Channels by number of points</th></tr></thead>
            <tbody>
            \(layers.map(row))
            </tbody></table></div>
            """
    }

    private var caption: HTML {
        var text: HTML = "Bits per weight count codes, scales, codebooks and numbers of points."
        if hasErrors {
            text += """
                 Output error is E[‖(w − ŵ)·x‖²] / E[‖w·x‖²] over the calibration, on a logarithmic scale from \
                \(shortText(pow(10, floorDecade + 2))) % to 100 %.
                """
        }
        if hasNearest {
            text += """
                 The hollow bar is nearest rounding at as many bits, best scales, interpolated between widths; the full one is this file.
                """
        }
        return text
    }

    private func row(_ layer: ReportedLayer) -> HTML {
        let summary = layer.summary
        return """
            <tr><th scope="row"><bdi>\(summary.name)</bdi><small>\(summary.operator) \(sizesText(summary.shape))</small></th>
            <td class="number">\(grouped(summary.weights))</td>
            <td>\(bits(summary))</td>\(hasErrors ? errors(layer) : "")
            <td>\(points(summary))</td></tr>

            """
    }

    private func bits(_ summary: LayerSummary) -> HTML {
        if summary.isFloat { return "<span class=\"value\">float, 32</span>" }
        let value = "<span class=\"value\">\(decimal(summary.bitsPerWeight, digits: 2))</span>" as HTML
        let levels = "<small>\(LayerSummary.bitsText(summary.bits))</small>" as HTML
        return bar([(summary.bitsPerWeight / widest, "full")]) + value + levels
    }

    private func errors(_ layer: ReportedLayer) -> HTML {
        guard let error = layer.summary.relativeOutputError else { return "<td>–</td>" }
        func part(_ error: Double) -> Double { error > 0 ? 1 - log10(error) / floorDecade : 0 }
        guard let nearest = layer.nearestError else {
            return "<td>\(bar([(part(error), "full")]))<span class=\"value\">\(percentText(error))</span></td>"
        }
        return """
            <td>\(bar([(part(nearest), "hollow"), (part(error), "full")]))<span class="value">\(percentText(error))</span>\
            <small>nearest: \(percentText(nearest))</small></td>
            """
    }

    /// One bar above the other, as parts of the whole width.
    private func bar(_ bars: [(part: Double, kind: String)]) -> HTML {
        let height = 14.0 / Double(bars.count)
        let rows = bars.enumerated().map { index, bar -> HTML in
            let width = min(1, max(0, bar.part.isFinite ? bar.part : 0)) * 100
            return "<rect class=\"\(bar.kind)\" x=\"0.5\" y=\"\(Double(index) * height + 1)\" width=\"\(width)\" height=\"\(height - 1)\"/>"
        }
        return "<svg class=\"bar\" viewBox=\"0 0 101 16\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\(rows)</svg>"
    }

    private func points(_ summary: LayerSummary) -> HTML {
        let total = Double(max(1, summary.channelsByPoints.reduce(0, +)))
        guard !summary.isFloat else { return "–" }
        var (start, segments, texts): (Double, [HTML], [String]) = (0, [], [])
        for (points, channels) in summary.channelsByPoints.enumerated() where channels > 0 {
            let width = Double(channels) / total * 100
            segments.append(
                "<rect class=\"points p\(min(points, 6))\" x=\"\(start + 0.5)\" y=\"1\" width=\"\(width)\" height=\"13\"/>")
            start += width
            texts.append("\(points): \(channels)")
        }
        return """
            <svg class="bar" viewBox="0 0 101 16" preserveAspectRatio="none" aria-hidden="true">\(segments)</svg>\
            <span class="value counts">\(texts.joined(separator: ", "))</span>
            """
    }
}
