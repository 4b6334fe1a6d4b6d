import Glibc

struct ChartPoint: Equatable {
    var x: Double
    var y: Double
}

/// Errors over bits per weight, the error's axis logarithmic. Series differ in their marks and dashes, not by color alone.
struct LineChart {
    enum Mark: String {
        case circle, square, diamond
    }

    struct Series {
        var name: String
        var points: [ChartPoint]
        var mark: Mark
    }

    var title: String
    var xTitle: String
    var yTitle: String
    var series: [Series]

    private static let (width, height) = (680.0, 320.0)
    private static let (left, right, top, bottom) = (70.0, 20.0, 14.0, 48.0)

    /// Points that a logarithmic axis has.
    private var drawn: [Series] {
        series.map { series in
            var series = series
            series.points = series.points.filter { $0.x.isFinite && $0.y.isFinite && $0.y > 0 }
            return series
        }.filter { !$0.points.isEmpty }
    }

    /// Nil if there is nothing to draw.
    func html(id: String) -> HTML? {
        let series = drawn
        let points = series.flatMap(\.points)
        guard let firstX = points.map(\.x).min(), let lastX = points.map(\.x).max(), let lowest = points.map(\.y).min(),
            let highest = points.map(\.y).max()
        else { return nil }
        let axes = Axes(
            x: firstX.rounded(.down)...max(firstX.rounded(.down) + 1, lastX.rounded(.up)),
            decades: Int(log10(lowest).rounded(.down))...max(
                Int(log10(lowest).rounded(.down)) + 1, Int(log10(highest).rounded(.up))))
        return """
            <figure class="chart">
            <svg viewBox="0 0 \(Self.width) \(Self.height)" role="img" aria-labelledby="\(id)-title \(id)-text">
            <title id="\(id)-title">\(title)</title>
            <desc id="\(id)-text">\(description(series))</desc>
            \(axes.html(xTitle, yTitle))
            \(series.map { html($0, axes) })
            </svg>
            <figcaption>\(legend(series))</figcaption>
            </figure>
            """
    }

    /// All numbers, for who does not see the chart.
    private func description(_ series: [Series]) -> String {
        series.map { series in
            series.name + ": " + series.points.map { "\(shortText($0.x)) bits, \(percentText($0.y))" }.joined(separator: "; ")
        }.joined(separator: ". ") + "."
    }

    private func html(_ series: Series, _ axes: Axes) -> HTML {
        let places = series.points.map { (x: axes.x($0.x), y: axes.y($0.y)) }
        var line: HTML = ""
        for (index, place) in places.enumerated() { line += "\(index == 0 ? "M" : "L")\(place.x) \(place.y)" }
        let marks = zip(series.points, places).map { point, place -> HTML in
            let label = "\(series.name): \(shortText(point.x)) bits, \(percentText(point.y))"
            return "<g transform=\"translate(\(place.x) \(place.y))\"><title>\(label)</title>\(Self.shape(series.mark))</g>"
        }
        return "<g class=\"series \(series.mark.rawValue)\"><path class=\"line\" d=\"\(line)\"/>\(marks)</g>"
    }

    private static func shape(_ mark: Mark) -> HTML {
        switch mark {
        case .circle: "<circle class=\"mark\" r=\"4.5\"/>"
        case .square: "<rect class=\"mark\" x=\"-4\" y=\"-4\" width=\"8\" height=\"8\"/>"
        case .diamond: "<path class=\"mark\" d=\"M0 -8L8 0L0 8L-8 0Z\"/>"
        }
    }

    private func legend(_ series: [Series]) -> HTML {
        let entries = series.map { series -> HTML in
            """
            <span class="key"><svg class="swatch" viewBox="-16 -9 32 18" aria-hidden="true"><g class="series \(series.mark.rawValue)">\
            <path class="line" d="M-16 0L16 0"/>\(Self.shape(series.mark))</g></svg>\(series.name)</span>
            """
        }
        return "\(entries)"
    }

    /// Where numbers are on the chart.
    private struct Axes {
        var x: ClosedRange<Double>
        var decades: ClosedRange<Int>

        func x(_ value: Double) -> Double {
            LineChart.left
                + (value - x.lowerBound) / (x.upperBound - x.lowerBound) * (LineChart.width - LineChart.left - LineChart.right)
        }

        func y(_ value: Double) -> Double {
            let span = Double(decades.upperBound - decades.lowerBound)
            return LineChart.top
                + (Double(decades.upperBound) - log10(value)) / span * (LineChart.height - LineChart.top - LineChart.bottom)
        }

        func html(_ xTitle: String, _ yTitle: String) -> HTML {
            let (floor, right) = (LineChart.height - LineChart.bottom, LineChart.width - LineChart.right)
            let step = max(1, ((x.upperBound - x.lowerBound) / 10).rounded(.up))
            let ticks = stride(from: x.lowerBound, through: x.upperBound, by: step).map { tick -> HTML in
                """
                <path class="grid" d="M\(x(tick)) \(LineChart.top)V\(floor)"/>\
                <text x="\(x(tick))" y="\(floor + 18)" text-anchor="middle">\(shortText(tick))</text>
                """
            }
            let every = max(1, (decades.count + 7) / 8)
            let levels = decades.filter { ($0 - decades.lowerBound) % every == 0 }.map { decade -> HTML in
                let place = y(pow(10, Double(decade)))
                return """
                    <path class="grid" d="M\(LineChart.left) \(place)H\(right)"/>\
                    <text x="\(LineChart.left - 8)" y="\(place + 4)" text-anchor="end">\(tickText(decade))</text>
                    """
            }
            let middle = (LineChart.top + floor) / 2
            return """
                \(levels)\(ticks)
                <text class="axis" x="\((LineChart.left + right) / 2)" y="\(LineChart.height - 8)" text-anchor="middle">\(xTitle)</text>
                <text class="axis" transform="translate(14 \(middle)) rotate(-90)" text-anchor="middle">\(yTitle)</text>
                """
        }

        private func tickText(_ decade: Int) -> String {
            decade >= -6 ? decimal(pow(10, Double(decade + 2)), digits: max(0, -decade - 2)) + " %" : "1e\(decade + 2) %"
        }
    }
}
