import FuzzTargets
import Glibc

let target: FuzzTarget = {
    guard CommandLine.arguments.count > 1, let target = FuzzTarget(rawValue: CommandLine.arguments[1]) else {
        print("multipoint-fuzz: a target is expected: \(FuzzTarget.allCases.map(\.rawValue).joined(separator: ", "))")
        exit(2)
    }
    return target
}()

@_silgen_name("LLVMFuzzerMutate")
private func mutateByLibFuzzer(_ data: UnsafeMutablePointer<UInt8>, _ size: Int, _ maximumSize: Int) -> Int

@_cdecl("LLVMFuzzerCustomMutator")
public func customMutator(_ data: UnsafeMutablePointer<UInt8>, _ size: Int, _ maximumSize: Int, _ seed: CUnsignedInt) -> Int {
    let bytes = Array(UnsafeBufferPointer(start: data, count: size))
    let mutated = target.mutate(bytes, seed: UInt64(seed)) { part in
        let room = max(2 * part.count, 16)
        let count = part.count
        part += [UInt8](repeating: 0, count: room - count)
        let newCount = part.withUnsafeMutableBufferPointer { mutateByLibFuzzer($0.baseAddress!, count, room) }
        part.removeSubrange(newCount...)
    }
    guard let mutated, mutated.count <= maximumSize else { return mutateByLibFuzzer(data, size, maximumSize) }
    data.update(from: mutated, count: mutated.count)
    return mutated.count
}

func test(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    target.run(UnsafeRawBufferPointer(start: data, count: size), .quick)
    return 0
}

