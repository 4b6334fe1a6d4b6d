/// What the file's bytes are for: a bar whose parts are lettered as in the table below it.
struct SizeChart {
    let size: SizeSplit

    private static let width = 680.0

    private struct Part {
        var letter: String
        var part: SizeSplit.Part
        var share: Double
    }

    private var parts: [Part] {
        let total = Double(max(1, size.total))
        return zip("ABCDEFGHIJ", size.parts.filter { $0.bytes > 0 }).map { letter, part in
            Part(letter: String(letter), part: part, share: Double(part.bytes) / total)
        }
    }

    var html: HTML {
        var start = 0.0
        let segments = parts.map { part -> HTML in
            let (x, width) = (start, part.share * Self.width)
            start += width
            let label: HTML = width > 16
                ? "<text x=\"\(x + width / 2)\" y=\"25\" text-anchor=\"middle\">\(part.letter)</text>" : ""
            return """
                <g class="part \(part.letter)"><title>\(part.part.name): \(grouped(part.part.bytes)) bytes</title>\
                <rect x="\(x)" y="1" width="\(width)" height="38"/>\(label)</g>
                """
        }
        let rows = parts.map { part -> HTML in
            """
            <tr><th scope="row"><span class="letter \(part.letter)">\(part.letter)</span>\(part.part.name)</th>\
            <td class="number">\(grouped(part.part.bytes))</td><td class="number">\(decimal(part.share * 100, digits: 1)) %</td></tr>
            """
        }
        return """
            <figure class="chart size"><svg viewBox="0 0 \(Self.width) 40" role="img" aria-label="Parts of the file; the numbers are in \
            the table below">\(segments)</svg></figure>
            <table class="sizes"><thead><tr><th scope="col">Part</th><th scope="col" class="number">Bytes</th>\
            <th scope="col" class="number">Share</th></tr></thead><tbody>\(rows)</tbody>
            <tfoot><tr><th scope="row">File</th><td class="number">\(grouped(size.total))</td><td class="number">100 %</td></tr></tfoot></table>
            """
    }
}
