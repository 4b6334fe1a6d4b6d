import Glibc

/// "1,234,567".
func grouped(_ number: Int) -> String {
    var digits = String(number.magnitude)
    var groups: [String] = []
    while digits.count > 3 {
        groups.insert(String(digits.suffix(3)), at: 0)
        digits.removeLast(3)
    }
    return (number < 0 ? "−" : "") + ([digits] + groups).joined(separator: ",")
}

/// A fraction as per cent with three digits that count: "12.3 %", "0.0123 %".
func percentText(_ fraction: Double) -> String {
    let percent = fraction * 100
    guard percent.isFinite, percent > 0 else { return fraction == 0 ? "0 %" : "–" }
    let digits = min(6, max(0, 2 - Int(log10(percent).rounded(.down))))
    return decimal(percent, digits: digits) + " %"
}

/// With four digits that count: ticks and spreads of weights.
func shortText(_ x: Double) -> String {
    guard x.isFinite, x != 0 else { return x == 0 ? "0" : "–" }
    let digits = min(8, max(0, 3 - Int(log10(abs(x)).rounded(.down))))
    var text = decimal(x, digits: digits)
    if text.contains(".") {
        while text.hasSuffix("0") { text.removeLast() }
        if text.hasSuffix(".") { text.removeLast() }
    }
    return text.hasPrefix("-") ? "−" + text.dropFirst() : text
}
