//! What a machine's console says of its kernel: whether the programs work there, or are refused in plain words where they cannot.

use anyhow::{Context, Result, bail, ensure};

use super::console::{Console, Part};
use super::replay;
use crate::libtest::Tally;

/// The first kernel that has everything the programs need.
const OLDEST: (u32, u32) = (5, 18);

/// What was found of a kernel on which the programs work, or which they are refused on.
#[derive(Debug, PartialEq, Eq)]
pub struct Verdict {
    /// As `uname -r` prints it.
    pub release: String,
    /// The rest of its row.
    pub text: String,
}

/// Judges a kernel of this series; an error says which part failed and what it wrote.
pub fn judge(series: &str, console: &Console, expected: &[String]) -> Result<Verdict> {
    let kernel = part(console, "kernel")?;
    succeeded(kernel)?;
    let release = kernel.lines.first().context("the machine does not name its kernel")?.clone();
    let text = if is_too_old(series)? { refusal(console)? } else { work(console, expected)? };
    Ok(Verdict { release, text })
}

fn is_too_old(series: &str) -> Result<bool> {
    let (major, minor) = series.split_once('.').with_context(|| format!("{series} is no series such as 6.1"))?;
    Ok((major.parse::<u32>()?, minor.parse::<u32>()?) < OLDEST)
}

/// Every part works, and works as here.
fn work(console: &Console, expected: &[String]) -> Result<String> {
    let run = part(console, "run")?;
    succeeded(run)?;
    let attached = |hook: &str| run.between(&format!("\"{hook}\":\""), "\"").unwrap_or("nothing");
    let (ingress, egress) = (attached("ingress"), attached("egress"));
    ensure!(ingress == "native", "ingress is attached as {ingress}, and veth has native XDP:\n{}", run.text());
    ensure!(["tcx", "clsact"].contains(&egress), "egress is attached as {egress}:\n{}", run.text());
    let finding = if egress == "tcx" { "ok       tcx" } else { "note     tcx" };
    ensure!(run.says(finding, ""), "egress is attached as {egress}, and the doctor says otherwise:\n{}", run.text());

    let decided = part(console, "replay")?;
    succeeded(decided)?;
    let found = replay::summaries(decided.lines.iter().map(String::as_str));
    ensure!(
        found == expected,
        "captures are decided in another way than here: expected {expected:#?}\nfound {found:#?}"
    );

    let tests = part(console, "tests")?;
    succeeded(tests)?;
    let mut tally = Tally::default();
    tests.lines.iter().for_each(|line| tally.read(line));
    ensure!(tally.passed > 0, "no test ran:\n{}", tests.text());
    let cost = |program: &str| {
        let before = format!("{program} ProgramCost {{ verified_instructions: ");
        tests.between(&before, ",").unwrap_or("an unknown number of").to_owned()
    };
    succeeded(part(console, "demo")?)?;
    Ok(format!(
        "XDP {ingress}, {egress}; {} and {} instructions verified; {} tests, the captures and the attack as here",
        cost("ingress"),
        cost("egress"),
        tally.passed
    ))
}

/// The agent refuses, names what is missing, and the doctor says the same.
fn refusal(console: &Console) -> Result<String> {
    let run = part(console, "run")?;
    let (code, said) = (run.code, run.text());
    ensure!(code.is_some_and(|code| code != 0), "the agent runs on a kernel that cannot load its programs:\n{said}");
    let plain = run.between(" lacks ", ": the programs cannot run here");
    let lacking = plain.with_context(|| format!("the agent does not say what the kernel lacks:\n{said}"))?;
    ensure!(run.says("PROBLEM  features", lacking), "the doctor does not say that the kernel lacks {lacking}:\n{said}");
    Ok(format!("refused, as it must be: lacks {lacking}"))
}

fn part<'a>(console: &'a Console, name: &str) -> Result<&'a Part> {
    console.part(name).with_context(|| format!("the machine did not come to the part {name:?}"))
}

fn succeeded(part: &Part) -> Result<()> {
    match part.code {
        Some(0) => Ok(()),
        Some(code) => bail!("the part {:?} ended with {code}:\n{}", part.name, part.text()),
        None => bail!("the part {:?} did not end:\n{}", part.name, part.text()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKS: &str = "== begin kernel\n6.1.0-50\n== end 0\n== begin run\n\
        {\"attachments\":[{\"interface\":\"g\",\"ingress\":\"native\",\"egress\":\"clsact\"}]}\n\
        note     tcx             the kernel lacks TCX\n== end 0\n\
        == begin replay\n{\"summary\":1}\n== end 0\n== begin tests\n\
        test budget ... ingress ProgramCost { verified_instructions: 440024, translated_bytes: 1 }\n\
        egress ProgramCost { verified_instructions: 326142, translated_bytes: 1 }\n\
        test result: ok. 14 passed; 0 failed; 0 ignored; 0 measured; 52 filtered out; finished in 99.00s\n== end 0\n\
        == begin demo\n{}\n== end 0\n";

    const REFUSES: &str = "== begin kernel\n5.10.0-32\n== end 0\n== begin run\n\
        error: Linux 5.10.0-32 lacks bpf_loop (Linux 5.17): the programs cannot run here, so nothing is watched\n\
        PROBLEM  features        Linux 5.10.0-32 lacks bpf_loop (Linux 5.17) -> boot Linux 5.18 or newer\n== end 1\n";

    fn judged(series: &str, text: &str) -> Result<Verdict> {
        let mut console = Console::default();
        for line in text.lines() {
            console.read(line);
        }
        judge(series, &console, &["{\"summary\":1}".to_owned()])
    }

    #[test]
    fn a_kernel_on_which_everything_works() {
        let verdict = judged("6.1", WORKS).unwrap();
        assert_eq!(verdict.release, "6.1.0-50");
        assert_eq!(
            verdict.text,
            "XDP native, clsact; 440024 and 326142 instructions verified; 14 tests, the captures and the attack as here"
        );
    }

    #[test]
    fn whatever_fails_is_named() {
        let why =
            |before: &str, after: &str| format!("{:#}", judged("6.1", &WORKS.replace(before, after)).unwrap_err());
        assert!(why("== begin demo\n{}\n== end 0\n", "").contains("did not come to the part \"demo\""));
        assert!(why("{}\n== end 0", "{}\n== end 1").contains("\"demo\" ended with 1"));
        assert!(why("{}\n== end 0", "{}\n").contains("\"demo\" did not end"));
        assert!(why("\"summary\":1", "\"summary\":2").contains("in another way than here"));
        assert!(why("14 passed", "0 passed").contains("no test ran"));
        assert!(why("\"clsact", "\"none").contains("egress is attached as none"));
        assert!(why("note     tcx", "ok       tcx").contains("the doctor says otherwise"));
        assert!(why("native", "generic").contains("ingress is attached as generic"));
    }

    #[test]
    fn a_kernel_that_is_too_old_must_be_refused_in_plain_words() {
        assert_eq!(judged("5.10", REFUSES).unwrap().text, "refused, as it must be: lacks bpf_loop (Linux 5.17)");
        let obscure = REFUSES.replace("lacks bpf_loop (Linux 5.17): the", "says Invalid argument: the");
        assert!(judged("5.10", &obscure).is_err());
        assert!(judged("5.10", &REFUSES.replace("PROBLEM ", "ok ")).is_err());
        assert!(judged("5.10", WORKS).is_err());
        assert!(judged("6.1", REFUSES).is_err());
        assert!(judged("six", WORKS).is_err());
    }
}
