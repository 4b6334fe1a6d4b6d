import Glibc

// multipoint-fuzz TARGET [libFuzzer's options and folders]: one program for all targets, so that one build serves them.

@_silgen_name("LLVMFuzzerRunDriver")
private func runLibFuzzer(
    _ count: UnsafeMutablePointer<CInt>, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

// libFuzzer does not know the target's name.
_ = target
CommandLine.unsafeArgv[1] = CommandLine.unsafeArgv[0]
var count = CommandLine.argc - 1
var arguments = CommandLine.unsafeArgv + 1
exit(runLibFuzzer(&count, &arguments, test))
