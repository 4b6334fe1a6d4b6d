/// What is wrong with an array's file.
package struct NPYError: Error, Equatable, CustomStringConvertible {
    package var description: String

    init(_ description: String) { self.description = description }
}
