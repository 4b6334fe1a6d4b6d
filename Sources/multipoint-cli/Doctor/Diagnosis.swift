import MultipointGraph
import MultipointRuntime
import PostTrainingQuantization

/// What `doctor` tells about an ONNX network. Encoded as it is for JSON.
struct Diagnosis: Encodable, Equatable {
    var model: String
    var runs: Bool
    var operatorSet: Int
    var inputs: [ModelSummary.Value]
    var outputs: [ModelSummary.Value]
    /// Elements of all constants in the file.
    var parameters: Int
    /// By name.
    var operators: [OperatorCount]
    /// In execution order.
    var nodes: [Node]
    /// Of one image, in convolutions and products of matrices. Nil if the network does not run.
    var multiplyAdds: MultiplyAdds?
    /// What stands in the way besides unsupported nodes.
    var problem: String?

    enum Verdict: String, Encodable {
        case int8, float
        /// No work when the network runs: computed before, or part of another node.
        case none
        /// Supported, but a node that is not stands in the way of knowing more.
        case supported
        case unsupported
    }

    struct Node: Encodable, Equatable {
        var name: String
        var `operator`: String
        var verdict: Verdict
        /// Why it is not supported, or why a layer stays in float.
        var reason: String?
    }

    struct OperatorCount: Encodable, Equatable {
        var `operator`: String
        var nodes = 0
        var int8 = 0
        var float = 0
        var none = 0
        var supported = 0
        var unsupported = 0
    }

    struct MultiplyAdds: Encodable, Equatable {
        var total = 0
        var int8 = 0

        /// From 0 to 1; nil if there are none.
        var share: Double? { total > 0 ? Double(int8) / Double(total) : nil }
    }

    init(_ examination: Examination, _ definition: GraphDefinition, model: String) {
        self.model = model
        operatorSet = definition.operatorSet
        (inputs, outputs) = (examination.inputs.map(ModelSummary.Value.init), examination.outputs.map(ModelSummary.Value.init))
        parameters = definition.constantElementCount
        problem = examination.problem?.description
        var verdicts: [String: (Verdict, String?)]?
        if let network = examination.network {
            do {
                let execution = try ExecutionPlan(network)
                multiplyAdds = execution.multiplyAdds
                verdicts = execution.verdicts(origins: examination.origins)
            } catch { problem = "it cannot be compiled: \(error)" }
        }
        nodes = examination.nodes.map { Diagnosis.node($0, verdicts) }
        runs = problem == nil && multiplyAdds != nil
        var counts: [String: OperatorCount] = [:]
        for node in nodes { counts[node.operator, default: OperatorCount(operator: node.operator)].add(node.verdict) }
        operators = counts.values.sorted { $0.operator < $1.operator }
    }

    /// - Parameter verdicts: nil if the network is not known as a whole.
    private static func node(_ node: Examination.Node, _ verdicts: [String: (Verdict, String?)]?) -> Node {
        let (verdict, reason): (Verdict, String?) =
            switch node.finding {
            case .folded: (.none, nil)
            case .translated: verdicts.map { $0[node.name] ?? (.none, nil) } ?? (.supported, nil)
            case .unexamined: (.supported, nil)
            case .unsupported(let reason): (.unsupported, reason)
            }
        return Node(name: node.name, operator: node.operatorType, verdict: verdict, reason: reason)
    }
}

extension Diagnosis.OperatorCount {
    fileprivate mutating func add(_ verdict: Diagnosis.Verdict) {
        nodes += 1
        switch verdict {
        case .int8: int8 += 1
        case .float: float += 1
        case .none: none += 1
        case .supported: supported += 1
        case .unsupported: unsupported += 1
        }
    }
}
