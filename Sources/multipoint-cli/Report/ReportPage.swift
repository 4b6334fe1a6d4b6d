import MultipointFormat

/// The page as a whole.
struct ReportPage {
    let model: ReportModel

    /// Of `report.js`: a browser runs no other script, whatever the file's names are. A test compares it with the script.
    static let scriptHash = "sha256-InHOPOuEMJFXT5zA3YIEUFIq4vGuLwmPSUfKXCe2b6c="

    var html: HTML {
        """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src '\(Self.scriptHash)'">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <title>\(title) – packed weights</title>
        <style>\(HTML(resource: PackageResources.report_css))</style>
        </head>
        <body>
        <header>
        <h1><bdi>\(title)</bdi></h1>
        <p class="facts">\(origin.joined(separator: " · "))</p>
        \(tiles)
        </header>
        <main>
        <section><h2>Size</h2>
        \(SizeChart(size: model.size).html)
        </section>
        \(tradeOff)
        <section><h2>Layers</h2>
        \(LayerTable(layers: model.layers).html)
        </section>
        \(details)
        </main>
        <script>\(HTML(resource: PackageResources.report_js))</script>
        </body>
        </html>

        """
    }

    private var title: String { model.summary.name.isEmpty ? fileName : model.summary.name }

    private var fileName: String { model.summary.path.split(separator: "/").last.map(String.init) ?? model.summary.path }

    private var origin: [String] {
        var parts = [fileName]
        if !model.summary.producer.isEmpty { parts.append("made by \(model.summary.producer)") }
        if let method = model.method { parts.append(method) }
        if model.summary.inputs.isEmpty { parts.append("weights only, no network") }
        return parts
    }

    private var tiles: HTML {
        let totals = model.summary.totals
        var tiles: [(String, String)] = []
        if let bits = totals.packedBitsPerWeight { tiles.append((decimal(bits, digits: 2), "bits per packed weight")) }
        tiles.append((grouped(totals.fileBytes), "bytes in the file"))
        let ratio = Double(totals.weights) * 4 / Double(max(1, totals.fileBytes))
        if ratio > 1 { tiles.append((decimal(ratio, digits: 1) + " ×", "smaller than float weights")) }
        tiles.append((grouped(totals.weights), "weights, \(percentText(Double(totals.packedWeights) / Double(max(1, totals.weights)))) packed"))
        tiles.append((grouped(model.layers.count), model.layers.count == 1 ? "layer" : "layers"))
        let cells = tiles.map { value, name -> HTML in "<div><dt>\(name)</dt><dd>\(value)</dd></div>" }
        return "<dl class=\"tiles\">\(cells)</dl>"
    }

    private var tradeOff: HTML {
        let charts = [errorChart, truncationChart].compactMap(\.self)
        let hint: HTML = errorChart == nil && model.summary.totals.packedWeights > 0
            ? "<p class=\"facts\">This file has no record of output errors at other widths (quantize --record).</p>" : ""
        if charts.isEmpty && hint == "" { return "" }
        return "<section><h2>Bits against error</h2>\n\(charts)\(hint)</section>"
    }

    private var errorChart: HTML? {
        let nearest = model.meanCurve(\.nearestCurve)
        guard !nearest.isEmpty else { return nil }
        var series = [LineChart.Series(name: "Nearest rounding, best scales", points: nearest, mark: .circle)]
        let rounded = model.meanCurve(\.roundedCurve)
        if !rounded.isEmpty {
            series.append(LineChart.Series(name: "This method's rounding, one width everywhere", points: rounded, mark: .square))
        }
        if let point = model.filePoint { series.append(LineChart.Series(name: "This file", points: [point], mark: .diamond)) }
        let chart = LineChart(
            title: "Mean output error of the packed layers over bits per weight", xTitle: "bits per weight, codes alone",
            yTitle: "mean output error", series: series)
        return chart.html(id: "errors").map { "<h3>Output error, mean of the packed layers</h3>\n\($0)" }
    }

    private var truncationChart: HTML? {
        let curve = model.truncationCurve
        let name = model.hasOriginal ? "Compared with the original weights" : "Compared with all points together"
        // Where all points together are the measure, their own error is 0.
        guard curve.count(where: { $0.y > 0 }) > 1 else { return nil }
        let chart = LineChart(
            title: "Mean weight error with fewer points per channel", xTitle: "bits per weight", yTitle: "mean weight error",
            series: [LineChart.Series(name: name + ", with at most 1, 2, … points per channel", points: curve, mark: .square)])
        return chart.html(id: "truncation").map { "<h3>Weight error with fewer points</h3>\n\($0)" }
    }

    private var details: HTML {
        guard !model.layers.isEmpty else { return "" }
        let options = model.layers.enumerated().map { index, layer -> HTML in
            "<option value=\"layer-\(index)\">\(layer.summary.name)</option>"
        }
        let layers = model.layers.enumerated().map { index, layer in
            LayerDetail(layer: layer, number: index, hasOriginal: layer.weightError != nil).html
        }
        return """
            <section><h2>One layer</h2>
            <p class="choice" hidden><label for="layer">Layer </label><select id="layer">\(options)</select></p>
            \(layers)
            </section>
            """
    }
}
