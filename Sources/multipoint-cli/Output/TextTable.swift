/// Columns aligned with spaces.
struct TextTable {
    enum Column {
        case left(String)
        case right(String)

        fileprivate var title: String {
            switch self {
            case .left(let title), .right(let title): title
            }
        }
    }

    private let columns: [Column]
    private var rows: [[String]]

    init(_ columns: [Column]) {
        self.columns = columns
        rows = [columns.map(\.title)]
    }

    /// One cell per column.
    mutating func add(_ row: [String]) { rows.append(row) }

    var text: String {
        let widths = columns.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            var line = ""
            for (index, cell) in row.enumerated() {
                let padding = String(repeating: " ", count: widths[index] - cell.count)
                if index > 0 { line += "  " }
                if case .left = columns[index] { line += cell + padding } else { line += padding + cell }
            }
            while line.last == " " { line.removeLast() }
            return line
        }.joined(separator: "\n")
    }
}

/// With a fixed number of digits after the point, rounded to nearest.
func decimal(_ value: Double, digits: Int) -> String {
    guard value.isFinite, abs(value) < 1e12 else { return "\(value)" }
    var power = 1
    for _ in 0..<digits { power *= 10 }
    let scaled = Int((abs(value) * Double(power)).rounded())
    let fraction = String(scaled % power)
    let sign = value < 0 && scaled > 0 ? "-" : ""
    guard digits > 0 else { return "\(sign)\(scaled)" }
    return "\(sign)\(scaled / power).\(String(repeating: "0", count: digits - fraction.count))\(fraction)"
}
