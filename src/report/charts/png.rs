//! A chart as mail programs show it: PNG, since many of them show no SVG.
//!
//! In: an SVG of [`charts`](super::charts) and fonts. Out: the bytes of a PNG, and the letters that no font has.
//! Invariant: letters that our own font has are drawn with it, so that most pictures are the same on every machine.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::fontdb::{Database, FaceInfo, ID, Stretch, Style};
use resvg::usvg::{FontResolver, Options, Tree};

/// Latin, Greek and Cyrillic letters; whose font it is, and its licence, lie beside it.
const OURS: &[u8] = include_bytes!("font/DejaVuSans-latin.ttf");
/// Pixels for each unit of an SVG: sharp on the screens of today.
const SCALE: f32 = 2.0;

/// What letters are drawn with; the first font is our own.
#[derive(Debug, Clone)]
pub struct Fonts(Arc<Database>);

impl Fonts {
    /// Our own font.
    pub fn ours() -> Self {
        let mut fonts = Database::new();
        fonts.load_font_data(OURS.to_vec());
        Self(Arc::new(fonts))
    }

    /// Our own font, and for letters that it lacks those of this machine, plain ones first.
    pub fn of_machine() -> Self {
        let mut found = Database::new();
        found.load_system_fonts();
        let mut faces: Vec<&FaceInfo> = found.faces().collect();
        faces.sort_by_cached_key(|face| plainness(face));
        let Self(mut fonts) = Self::ours();
        for face in faces {
            Arc::make_mut(&mut fonts).push_face_info(face.clone());
        }
        Self(fonts)
    }
}

/// Least for an upright face of usual weight and width without serifs; never equal for two faces of a machine.
fn plainness(face: &FaceInfo) -> (bool, u16, bool, bool, bool, String, u32) {
    let name = &face.post_script_name;
    (
        face.style != Style::Normal,
        face.weight.0.abs_diff(400),
        face.stretch != Stretch::Normal,
        name.contains("Serif"),
        face.monospaced,
        name.clone(),
        face.index,
    )
}

/// A drawn chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Png {
    /// The contents of the file.
    pub bytes: Vec<u8>,
    /// Letters that no font has, in place of which a box is drawn.
    pub missing: BTreeSet<char>,
}

/// Draws an SVG, two pixels for each of its units.
///
/// # Errors
/// What the library says of a text that is no SVG.
pub fn png(svg: &str, fonts: &Fonts) -> io::Result<Png> {
    let missing = Mutex::new(BTreeSet::new());
    let of_others = FontResolver::default_fallback_selector();
    let asked = |letter: char, tried: &[ID], fonts: &mut Arc<Database>| {
        let found = of_others(letter, tried, fonts);
        if found.is_none() {
            let mut missing = missing.lock().unwrap_or_else(PoisonError::into_inner);
            missing.insert(letter);
        }
        found
    };
    let options = Options {
        fontdb: Arc::clone(&fonts.0),
        font_resolver: FontResolver {
            // Whatever a picture asks for: the families that browsers fall back to are none of ours.
            select_font: Box::new(|_, fonts| fonts.faces().next().map(|face| face.id)),
            select_fallback: Box::new(asked),
        },
        ..Options::default()
    };
    let tree = Tree::from_str(svg, &options).map_err(io::Error::other)?;
    drop(options);
    let size = tree.size().to_int_size().scale_by(SCALE);
    let mut pixels = size
        .and_then(|size| Pixmap::new(size.width(), size.height()))
        .ok_or_else(|| io::Error::other("a picture without an area"))?;
    resvg::render(
        &tree,
        Transform::from_scale(SCALE, SCALE),
        &mut pixels.as_mut(),
    );
    Ok(Png {
        bytes: pixels.encode_png().map_err(io::Error::other)?,
        missing: missing.into_inner().unwrap_or_else(PoisonError::into_inner),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"200\" height=\"30\"><rect width=\"100%\" height=\"100%\" fill=\"#fff\"/><text x=\"5\" y=\"20\" font-family=\"system-ui, sans-serif\" font-size=\"13\" fill=\"#000\">{text}</text></svg>"
        )
    }

    /// Pixels that are darker than grey, by column of the picture.
    fn ink(png: &Png) -> Vec<usize> {
        let pixels = Pixmap::decode_png(&png.bytes).unwrap();
        let mut columns = vec![0; pixels.width() as usize];
        for (at, pixel) in pixels.pixels().iter().enumerate() {
            if pixel.red() < 128 {
                columns[at % pixels.width() as usize] += 1;
            }
        }
        columns
    }

    #[test]
    fn letters_are_drawn_twice_as_large_as_said_and_as_wide_as_the_font_says() {
        let drawn = png(&written("11 %"), &Fonts::ours()).unwrap();
        assert!(drawn.missing.is_empty());
        let columns = ink(&drawn);
        assert_eq!(columns.len(), 400);
        let first = columns.iter().position(|&dark| 0 < dark).unwrap();
        let last = columns.iter().rposition(|&dark| 0 < dark).unwrap();
        // Advances of DejaVu Sans in 2048ths of the size: 1303 for a figure, 651 for a space, 1946 for the per cent sign.
        let advance = f64::from(2 * 1303 + 651 + 1946) / 2048.0 * 26.0;
        assert!((10..=14).contains(&first), "{first}");
        assert!(
            (last as f64 - (10.0 + advance)).abs() < 4.0,
            "{last} {advance}"
        );
        // An accent is a letter's own, quotes and signs of money are there.
        let european = png(
            &written("Škoda Łódź «naïve» “œuvre” Ωμέγα Жизнь €₽ … −—"),
            &Fonts::ours(),
        );
        assert!(european.unwrap().missing.is_empty());
    }

    #[test]
    fn letters_that_no_font_has_are_told_and_drawn_as_boxes() {
        let drawn = png(&written("a关b关"), &Fonts::ours()).unwrap();
        assert_eq!(drawn.missing, BTreeSet::from(['关']));
        let without = png(&written("ab"), &Fonts::ours()).unwrap();
        let dark = |png: &Png| ink(png).iter().sum::<usize>();
        assert!(dark(&without) + 20 < dark(&drawn));
        // No machine has a font for what is no letter.
        let drawn = png(&written("a\u{10fffd}"), &Fonts::of_machine()).unwrap();
        assert_eq!(drawn.missing, BTreeSet::from(['\u{10fffd}']));
    }

    #[test]
    fn what_is_no_svg_is_an_error() {
        assert!(png("<svg", &Fonts::ours()).is_err());
        assert!(
            png(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"0\" height=\"5\"/>",
                &Fonts::ours()
            )
            .is_err()
        );
    }
}
