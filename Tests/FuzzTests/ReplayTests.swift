import FuzzTargets
import XCTest

final class ReplayTests: XCTestCase {
}
