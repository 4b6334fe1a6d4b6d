import NumPyArrays

/// Everything about one layer; the page shows the one that is chosen.
struct LayerDetail {
    let layer: ReportedLayer
    let number: Int
    /// Whether truncated weights are compared with the original ones.
    let hasOriginal: Bool

    var html: HTML {
        """
        <article class="layer" id="layer-\(number)" aria-label="Layer \(layer.summary.name)">
        <h3><bdi>\(layer.summary.name)</bdi></h3>
        <p class="facts">\(facts.joined(separator: " · "))</p>
        \(histogram)
        \(errorChart ?? "")
        \(truncationTable)
        </article>

        """
    }

    private var facts: [String] {
        let summary = layer.summary
        var facts = ["\(summary.operator) \(sizesText(summary.shape))", "\(grouped(summary.weights)) weights", "\(grouped(summary.bytes)) bytes"]
        if summary.isFloat {
            facts.append("in float")
        } else {
            facts.append("\(decimal(summary.bitsPerWeight, digits: 2)) bits per weight, levels of \(LayerSummary.bitsText(summary.bits)) bits")
            facts.append("\(summary.rows) rows, \(summary.extraRows) of them extra")
        }
        if let error = summary.relativeOutputError { facts.append("output error \(percentText(error))") }
        if let error = layer.weightError { facts.append("weight error \(percentText(error))") }
        if let scale = summary.inputScale, let zero = summary.inputZeroPoint {
            facts.append("input scale \(shortText(Double(scale))), zero point \(zero)")
        }
        facts.append("runs as \(summary.execution)")
        return facts
    }

    private var histogram: HTML {
        guard let histogram = layer.histogram else { return "<p>All weights are 0.</p>" }
        return HistogramChart(
            reconstruction: histogram, original: layer.originalHistogram,
            name: layer.summary.isFloat ? "Float weights" : "Reconstruction"
        ).html(id: "histogram-\(number)", title: "Distribution of the weights of \(layer.summary.name)")
    }

    private var errorChart: HTML? {
        guard !layer.nearestCurve.isEmpty else { return nil }
        var series = [LineChart.Series(name: "Nearest rounding", points: layer.nearestCurve, mark: .circle)]
        if !layer.roundedCurve.isEmpty {
            series.append(LineChart.Series(name: "This method's rounding", points: layer.roundedCurve, mark: .square))
        }
        if let error = layer.summary.relativeOutputError, let bits = layer.codeBits {
            series.append(LineChart.Series(name: "This file", points: [ChartPoint(x: bits, y: error)], mark: .diamond))
        }
        return LineChart(
            title: "Output error of \(layer.summary.name) over bits", xTitle: "bits per weight, codes alone", yTitle: "output error",
            series: series
        ).html(id: "errors-\(number)")
    }

    private var truncationTable: HTML {
        guard layer.truncations.count > 1 else { return "" }
        let rows = layer.truncations.map { entry -> HTML in
            """
            <tr><th scope="row" class="number">\(entry.points)</th><td class="number">\(decimal(entry.bitsPerWeight, digits: 2))</td>\
            <td class="number">\(percentText(entry.relativeError))</td></tr>
            """
        }
        let reference: HTML = hasOriginal ? "the original weights" : "all points together"
        return """
            <table class="sizes"><caption>With fewer points, compared with \(reference)</caption>
            <thead><tr><th scope="col" class="number">Points at most</th><th scope="col" class="number">Bits per weight</th>\
            <th scope="col" class="number">Weight error</th></tr></thead><tbody>\(rows)</tbody></table>
            """
    }
}
