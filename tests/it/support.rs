//! What the tests share: folders, small order tables, and the real binary.

use std::path::{Path, PathBuf};
use std::process::Command;

use polars::prelude::*;
use tempfile::TempDir;
use tiermill::config::{Config, Options, parse};
use tiermill::load::{Customers, Loaded, load};

/// A folder that goes away with the test.
pub(crate) struct Workdir {
    folder: TempDir,
}

impl Workdir {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a table; folders in the name are made.
    pub(crate) fn parquet(&self, name: &str, mut frame: DataFrame) -> PathBuf {
        let path = self.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        ParquetWriter::new(std::fs::File::create(&path).unwrap())
            .finish(&mut frame)
            .unwrap();
        path
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Runs the real binary in this folder. Arguments are split at spaces; `'…'` keeps them together.
    pub(crate) fn tiermill(&self, arguments: &str) -> Ran {
        self.tiermill_with(&split(arguments), &[])
    }

    /// The same with arguments as they are, and variables of the environment.
    pub(crate) fn tiermill_with(&self, arguments: &[String], variables: &[(&str, &str)]) -> Ran {
        let output = Command::new(env!("CARGO_BIN_EXE_tiermill"))
            .args(arguments)
            .current_dir(self.path())
            .env_remove("NO_COLOR")
            .env("COLUMNS", "120")
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            folder: self.path().to_owned(),
        }
    }

    /// The folder of the run that `out/current` points to.
    pub(crate) fn current(&self) -> PathBuf {
        self.join("out/current").canonicalize().unwrap()
    }

    /// A table of the current run.
    pub(crate) fn table(&self, name: &str) -> DataFrame {
        read(&self.current().join(name))
    }

    /// A document of the current run.
    pub(crate) fn json(&self, name: &str) -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(self.current().join(name)).unwrap()).unwrap()
    }
}

/// What the binary did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    folder: PathBuf,
}

impl Ran {
    /// Exit code and stderr without progress lines, ready for a snapshot: the folder is `[DIR]`.
    pub(crate) fn problem(&self) -> String {
        let stderr: String = self
            .stderr
            .lines()
            .filter(|line| !line.starts_with("tiermill: "))
            .map(|line| line.to_owned() + "\n")
            .collect();
        format!("exit {}\n{}", self.code, self.clean(&stderr))
    }

    /// Stdout, ready for a snapshot: the folder is `[DIR]`, the fingerprint of a run `[RUN]`.
    pub(crate) fn answer(&self) -> String {
        let text = self.clean(&self.stdout);
        let mut clean = String::new();
        for line in text.lines() {
            clean += line.trim_end();
            clean.push('\n');
        }
        clean
    }

    fn clean(&self, text: &str) -> String {
        let folder = self.folder.canonicalize().unwrap();
        text.replace(folder.to_str().unwrap(), "[DIR]")
            .replace(self.folder.to_str().unwrap(), "[DIR]")
    }

    #[track_caller]
    pub(crate) fn success(self) -> Self {
        assert_eq!(
            self.code, 0,
            "stdout:\n{}\nstderr:\n{}",
            self.stdout, self.stderr
        );
        self
    }
}

fn split(arguments: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    for c in arguments.chars() {
        match c {
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            c if c.is_whitespace() && !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

pub(crate) fn read(path: &Path) -> DataFrame {
    ParquetReader::new(std::fs::File::open(path).unwrap())
        .finish()
        .unwrap()
}

/// Orders as `(customer, day, amount)`; columns `customer`, `date` (Date), `amount`.
pub(crate) fn orders(rows: &[(&str, &str, f64)]) -> DataFrame {
    let customers: Vec<&str> = rows.iter().map(|row| row.0).collect();
    let days: Vec<&str> = rows.iter().map(|row| row.1).collect();
    let amounts: Vec<f64> = rows.iter().map(|row| row.2).collect();
    let frame = df!("customer" => customers, "date" => days, "amount" => amounts).unwrap();
    with_type(frame, "date", &DataType::Date)
}

/// The same table with one column in another type.
pub(crate) fn with_type(mut frame: DataFrame, column: &str, dtype: &DataType) -> DataFrame {
    let old = frame.column(column).unwrap();
    let new = match (old.str(), dtype) {
        // polars asks not to cast text into dates.
        (Ok(text), DataType::Date) => text.as_date(Some("%Y-%m-%d"), false).unwrap().into_column(),
        _ => old.cast(dtype).unwrap(),
    };
    frame.with_column(new).unwrap();
    frame
}

/// The flags for a table made by [`orders`].
pub(crate) const COLUMNS: &str = "--customer customer --time date --amount amount";

/// Six customers whose RFM table is computed on paper (`pipeline::six_customers_on_paper`), and enough of a spread for
/// two tiers.
pub(crate) fn six_customers() -> DataFrame {
    orders(&[
        ("ann", "2024-01-01", 10.0),
        ("ann", "2024-03-01", 20.0),
        ("ann", "2024-03-30", 30.5),
        ("bob", "2024-01-15", 5.25),
        ("cat", "2024-03-31", 100.0),
        ("cat", "2024-03-31", 50.0),
        ("dan", "2024-02-29", 7.0),
        ("dan", "2024-03-01", 8.0),
        ("eve", "2024-01-31", 0.0),
        ("fay", "2024-03-15", 12.34),
        ("fay", "2024-03-16", -2.34),
    ])
}

/// The folder with data that is not in the repository; tests that need it say so where it is not set.
pub(crate) fn extra_data() -> Option<PathBuf> {
    let folder = std::env::var_os("TIERMILL_EXTRA_DATA").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("TIERMILL_EXTRA_DATA is not set: what needs Online Retail is not checked");
    }
    folder
}

/// The repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A ready customer table; customers are `c0000`, `c0001`, … in the order of the rows.
pub(crate) fn customers_table(rows: &[(f64, i64, f64)]) -> DataFrame {
    df!(
        "id" => (0..rows.len()).map(|row| format!("c{row:04}")).collect::<Vec<_>>(),
        "recency_days" => rows.iter().map(|row| row.0).collect::<Vec<_>>(),
        "frequency" => rows.iter().map(|row| row.1).collect::<Vec<_>>(),
        "monetary" => rows.iter().map(|row| row.2).collect::<Vec<_>>(),
    )
    .unwrap()
}

/// What `load` makes of it.
pub(crate) fn customers(rows: &[(f64, i64, f64)]) -> Customers {
    let work = Workdir::new();
    let path = work.parquet("customers.parquet", customers_table(rows));
    let config = config(&format!(
        "input = '{}'\ncustomer = 'id'\nlevel = 'customers'\nas-of = 2024-01-31",
        path.display()
    ));
    load(&config.input, &config.rfm).unwrap().customers
}

/// The config that a `tiermill.toml` with this text makes.
#[track_caller]
pub(crate) fn config(text: &str) -> Config {
    let file = parse(text, Path::new("tiermill.toml")).unwrap();
    Config::new(&Options::default(), &file).unwrap()
}

/// A document of `tests/data`.
pub(crate) fn golden(name: &str) -> serde_json::Value {
    let path = repository().join("tests/data").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The numbers of a JSON list.
#[track_caller]
pub(crate) fn floats(list: &serde_json::Value) -> Vec<f64> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|value| value.as_f64().unwrap())
        .collect()
}

/// Asserts that two numbers are the same but for `tolerance`, relative above 1 and absolute below.
#[track_caller]
pub(crate) fn close(found: f64, expected: f64, tolerance: f64, what: &str) {
    let off = (found - expected).abs();
    assert!(
        off <= tolerance * expected.abs().max(1.0),
        "{what}: found {found:?}, expected {expected:?}"
    );
}

/// The customers of `data/cdnow.parquet`, as the golden figures have them.
pub(crate) fn cdnow() -> Customers {
    let path = repository().join("data/cdnow.parquet");
    let config = config(&format!(
        "input = '{}'\ncustomer = 'customer_id'\ntime = 'date'\namount = 'amount'\ncount = 'days'\nas-of = 1998-07-01",
        path.display()
    ));
    load(&config.input, &config.rfm).unwrap().customers
}

/// Online Retail of the extra data by the rule of `expected/ref_online_retail.json`.
pub(crate) fn online_retail(extra: &Path) -> Loaded {
    let config = config(&format!(
        "input = '{}'\ncustomer = 'customer_id'\ntime = 'invoice_date'\norder = 'invoice_no'\namount = 'quantity * unit_price'\n\
         where = \"customer_id IS NOT NULL AND invoice_no NOT LIKE 'C%' AND quantity > 0 AND unit_price > 0\"\n\
         deduplicate = true\nas-of = 2011-12-10T12:50:00",
        extra.join("online_retail.parquet").display()
    ));
    load(&config.input, &config.rfm).unwrap()
}

/// Does something on so many threads.
pub(crate) fn threads<T: Send>(n: usize, work: impl FnOnce() -> T + Send) -> T {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build();
    pool.unwrap().install(work)
}
