/** How a zip entry may be compressed, by the numbers of the zip format. */

/** As it is. */
export const STORED = 0;
/** Read by every tool. */
export const DEFLATED = 8;
/** Read by bsdtar and 7-Zip, and by neither unzip nor Python before 3.14. */
export const ZSTANDARD = 93;
